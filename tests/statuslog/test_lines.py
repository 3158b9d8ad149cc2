"""Reading a line: its time and values, in our form and in those of other programs."""

from datetime import UTC, datetime

import pytest
from hypothesis import given

from statuslog import lines
from statuslog.record import MEBIBYTE, LineStyle, Measurement
from statuslog.times import moment
from tests.statuslog.test_record import LINE, MEASURED, MOMENT, measurements, moments


def quick(line: str) -> tuple[datetime | None, float | None, int | None] | None:
    found = lines.usual(line)
    return found and (moment(found[0]), *found[1:])


@given(moments, measurements)
def test_a_line_of_ours_is_read_back_to_the_digits_it_shows(when: datetime, measured: Measurement):
    line = LineStyle().format(when, measured)
    shown = lines.shown_by(line)
    assert shown is not None
    timestamp, seconds, free = shown
    assert timestamp == when.replace(microsecond=0)
    assert seconds == pytest.approx(measured.host_uptime_seconds, rel=1e-12, abs=1.81)
    assert free == pytest.approx(measured.disk_free_bytes, rel=1e-12, abs=0.00501 * MEBIBYTE)
    assert LineStyle().format(timestamp, Measurement(host_uptime_seconds=seconds, disk_free_bytes=free)) == line
    assert quick(line) == (shown if (free or 0) < 10**12 * MEBIBYTE else None)


def test_milliseconds_of_ours():
    shown = lines.shown_by(LineStyle(timestamp="milliseconds").format(MOMENT, MEASURED))
    assert shown
    assert shown[0] == MOMENT.replace(microsecond=123_000)


USUAL = [
    ("2025-09-28T13:18:09Z: uptime 0.98 hours, free disk in root: 432951 MBytes", 0.98 * 3600, 432951),
    ("Timestamp1: 2025-09-28T13:18:09Z: uptime 1 hours, free disk in root: 14644.5 MBytes", 3600, 14644.5),
    ("Timestamp2 2025-09-28T13:18:09.000Z: uptime: 0.00 hours, free disk in root: 972878 MBytes", 0, 972878),
    ("2025-09-28T15:18:09+02:00: uptime 0.10h, free disk in root: 972878 MBytes", 360, 972878),
    ("2025-09-28 13:18:09 UTC: uptime 0.10h, free mem 6053.32 MB", 360, None),
    ("2025-09-28T13:18:09Z: uptime 35.258941547s hours, free disk in root: 470003 MBytes", None, 470003),
    ("2025-09-28T13:18:09Z: uptime 115 s hours, free disk in root: 469529 MBytes", None, 469529),
]


@pytest.mark.parametrize(("line", "seconds", "mebibytes"), USUAL)
def test_the_quick_way_reads_what_the_other_reads(line: str, seconds: float | None, mebibytes: float | None):
    free = None if mebibytes is None else mebibytes * MEBIBYTE
    assert quick(line) == lines.shown_by(line) == (datetime(2025, 9, 28, 13, 18, 9, tzinfo=UTC), seconds, free)


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        LINE + " ",
        LINE + "\n",
        " " + LINE,
        LINE.replace("8.907", "-8.907"),
        LINE.replace("8.907", "\u0668.\u0669\u0660\u0667"),
        LINE.replace("36207.60", "9" * 400 + ".00"),
        LINE.replace("8.907", "9" * 400 + ".000"),
        LINE.replace("8.907", "8." + "0" * 5000),
    ],
)
def test_the_quick_way_takes_no_other_line(line: str):
    assert lines.usual(line) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("uptime 0.98 hours", 3528),
        ("uptime: 0.98 hours, free disk", 3528),
        ("Uptime=98 hours", 98 * 3600),
        ("UPTIME 1 HOUR", 3600),
        ("uptime is 2 hrs; free disk", 7200),
        ("uptime 0.98 hours free disk in root: 432 MBytes", 3528),
        ("uptime 0.98 hours, 432951 MBytes free", 3528),
        ("uptime 0.5h.", 1800),
        ("uptime 0,98 hours", 3528),
        ("uptime 0,977 hours", 3517.2),
        ("uptime 9.7e-05 hours", 0.3492),
        ("uptime 115 s", 115),
        ("uptime 3600 seconds", 3600),
        ("uptime 90 minutes", 5400),
        ("uptime 1.5 days", 129_600),
        ("uptime 1h30m", 5400),
        ("uptime 1 day, 2 hours, 3 minutes and 4 seconds, free", 93_784),
        # not clear
        ("uptime 35.258941547s hours", None),
        ("uptime 115 s hours", None),
        ("uptime 0.98", None),
        ("uptime 0.98, free disk in root: 5 MBytes", None),
        ("uptime 1,977 hours", None),
        ("uptime 1,977.5 hours", None),
        ("uptime -1 hours", None),
        ("uptime 12:30:00", None),
        ("uptime 3 days, 4:05", None),
        ("uptime 1h 30", None),
        ("uptime 5m 1h", None),
        ("uptime 5 hours/day", None),
        ("uptime 0.98 hoursx", None),
        ("uptimes 5 hours", None),
        ("uptime nan hours", None),
        ("uptime " + "9" * 400 + " hours", None),
        ("uptime 999999999999999 days", None),
        ("up 5 hours", None),
        ("hello", None),
    ],
)
def test_the_uptime(text: str, seconds: float | None):
    assert lines.measured_by(text).host_uptime_seconds == (None if seconds is None else pytest.approx(seconds))
    assert lines.measured_by(f"2025-09-28T13:18:09Z {text}").disk_total_bytes is None


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("free disk in root: 432951 MBytes", 432951 * 2**20),
        ("free disk in root: 36207.74 MBytes.", round(36207.74 * 2**20)),
        ("Free Disk Space in root: 40700 Mbytes", 40700 * 2**20),
        ("free disk in root: 40700 MByte", 40700 * 2**20),
        ("free disk: 40700MB", 40700 * 2**20),
        ("free disk in /: 40700 MiB", 40700 * 2**20),
        ("free disk in root: 40,5 MB", 40.5 * 2**20),
        ("disk free: 4.5 GiB", 4.5 * 2**30),
        ("free space 2 TiB", 2 * 2**40),
        ("free disk in root: 12345 KiB", 12345 * 2**10),
        ("free disk in root: 12345 bytes", 12345),
        ("free disk in root: 12345 B", 12345),
        # not clear
        ("free disk in root: 4.5 GB", None),
        ("free disk in root: 45 kB", None),
        ("free disk in root: 40700", None),
        ("free disk in root: 40,500 MB", None),
        ("free disk in root: -40700 MB", None),
        ("free disk in root: 40700 MB/s", None),
        ("free disk in root: 40700 MBytesx", None),
        ("free disk in home: 40700 MBytes", None),
        ("free disk in /data: 40700 MBytes", None),
        ("free mem 6053.32 MB", None),
        ("free disk in root: " + "9" * 400 + " MBytes", None),
        ("free disk in root: 99999999999999 TiB", None),
        ("hello", None),
    ],
)
def test_the_free_disk(text: str, size: float | None):
    assert lines.measured_by(text).disk_free_bytes == size


@pytest.mark.timeout(5)
def test_a_long_line_takes_no_long_time():
    for piece in ("1h ", "uptime 1h ", "9", "2025-09-28 ", "uptime 1,1 h, and ", "sep 28 ", "uptime" + " " * 9):
        line = (piece * 4096)[:4096]
        assert lines.shown_by(line) is None
