"""`manage.py import_log`: a file's lines come into the log at their own times, once."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from logs import import_lines, import_mark, importing
from logs.importing import Counts
from logs.models import Edition, LogRecord
from statuslog.record import Record, show_timestamp
from tests.storage.conftest import MOMENT

pytestmark = [pytest.mark.django_db, pytest.mark.urls("storage.urls")]

NO_TIME = "it has no time with its zone, such as 2025-09-26T16:45:06Z"


def line(second: int = 0, disk: float = 1.0, fraction: str = "") -> str:
    moment = MOMENT + timedelta(seconds=second)
    return f"{moment:%FT%T}{fraction}Z: uptime 8.907 hours, free disk in root: {disk:.2f} MBytes"


def bring_in(*lines: str) -> Counts:
    counts = Counts()
    data = [f"{line}\n".encode() for line in lines]
    list(importing.bring_in(data, counts, settings.DATA_DIR))
    return counts


@pytest.fixture
def import_log(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the command on a file with that content; returns what it prints."""

    def import_log(data: bytes, *options: str) -> str:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        out = io.StringIO()
        call_command("import_log", *options, stdout=out)
        return out.getvalue()

    return import_log


def test_a_file_is_stored_at_its_own_times(import_log, lines):
    printed = import_log(f"{line(2)}\n{line(0)}\n{line(1)}".encode())
    assert printed == "stored 3, known already 0, rejected 0\n"
    assert lines() == [line(0), line(1), line(2)]
    first = LogRecord.objects.first()
    assert first
    assert first.timestamp == datetime(2025, 9, 26, 16, 45, 6, tzinfo=UTC)
    assert first.host_uptime_seconds == pytest.approx(8.907 * 3600)
    assert first.disk_free_bytes == 2**20
    assert (first.service, first.instance, first.disk_total_bytes) == ("", "", None)


def test_milliseconds_are_kept(post, record: Record):
    bring_in(line(fraction=".123"), line())
    post(json.dumps(replace(record, timestamp=MOMENT.replace(microsecond=123000)).to_json()), "application/json")
    text = "SELECT CAST(timestamp AS text) FROM logs_logrecord ORDER BY row"
    with connection.cursor() as cursor:
        cursor.execute(text)
        imported, whole, posted = (stamp for (stamp,) in cursor.fetchall())
    assert imported == posted  # to the letter: SQLite compares texts
    assert posted.startswith(f"{whole}.123" if connection.vendor == "sqlite" else whole[:19])


def test_lines_of_one_second_stay_in_the_file_s_order(lines):
    same = [line(0, disk) for disk in (3, 1, 2)]
    bring_in(*same, line(-1))
    assert lines() == [line(-1), *same]


def test_twice_is_once(lines):
    file = [line(0), line(0), line(1), line(0)]
    assert str(bring_in(*file)) == "stored 4, known already 0, rejected 0"
    assert str(bring_in(*file)) == "stored 0, known already 4, rejected 0"
    assert sorted(lines()) == sorted(file)


def test_what_the_services_have_written_is_known(record: Record, post, lines):
    post(json.dumps(record.to_json()), "application/json")
    assert str(bring_in(record.line)) == "stored 0, known already 1, rejected 0"
    assert str(bring_in(record.line, record.line)) == "stored 1, known already 1, rejected 0"
    assert str(bring_in(record.line, record.line)) == "stored 0, known already 2, rejected 0"
    assert lines() == [record.line] * 2


def test_a_posted_text_that_shows_another_time_than_its_own_is_not_the_file_s(post):
    post(line(0))
    now = f"{datetime.now(UTC):%FT%T}Z: uptime 8.907 hours, free disk in root: 1.00 MBytes"
    assert str(bring_in(line(0), now)) == "stored 2, known already 0, rejected 0"


def test_a_part_comes_before_the_whole():
    file = [line(second, disk) for second in (0, 0, 1, 2, 2) for disk in (1, 1, 2)]
    bring_in(*file[:7])
    assert bring_in(*file).stored == len(file) - 7


def test_an_id_is_the_same_in_every_import_and_begins_with_the_time():
    found = [import_lines.line_id(line(), MOMENT, number) for number in (1, 2, 1)]
    assert found[0] == found[2] != found[1]
    assert UUID(found[0]).version == 8
    assert UUID(found[0]).variant == "specified in RFC 4122"
    assert int(found[0][:12], 16) == MOMENT.timestamp() * 1000 // 1
    assert import_lines.line_id(line(), MOMENT) == "019986e9fecb88e48094d5f71461c952"


SECONDS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([1.0, 2.0])), max_size=12)


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=SECONDS, second=SECONDS, chunk=st.integers(1, 4), dense=st.integers(0, 3))
@example(first=[(0, 1.0)] * 3, second=[(1, 1.0), (0, 1.0), (0, 1.0)], chunk=1, dense=3)
def test_the_log_has_each_line_as_often_as_the_file_that_has_it_most_often(
    first: list[tuple[int, float]], second: list[tuple[int, float]], chunk: int, dense: int
):
    """Whatever the order of the lines, where a chunk ends, and whether seconds are looked up one by one."""
    LogRecord.objects.all().delete()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importing, "CHUNK", chunk)
        patch.setattr(importing, "DENSE", dense)
        one, other = ([line(*place) for place in file] for file in (first, second))
        bring_in(*one)
        bring_in(*other)
        assert bring_in(*one).stored == bring_in(*other).stored == 0
    stored = sorted(LogRecord.objects.values_list("line", flat=True))
    wanted = sorted(kind for kind in {*one, *other} for _ in range(max(one.count(kind), other.count(kind))))
    assert stored == wanted


# whole records


def ndjson(*records: Record) -> bytes:
    return "".join(f"{json.dumps(record.to_json())}\n" for record in records).encode()


def test_whole_records_keep_all_that_they_have(import_log, client, record: Record):
    other = replace(record, id=uuid4(), timestamp=MOMENT + timedelta(microseconds=1), line="somebody was here")
    assert import_log(ndjson(record, other)) == "stored 2, known already 0, rejected 0\n"
    moved = b"".join(client.get("/log?format=ndjson").streaming_content)
    assert moved == ndjson(record, other)
    assert import_log(moved) == "stored 0, known already 2, rejected 0\n"


def test_another_record_of_a_known_id_is_rejected_by_its_line(record: Record, post, lines):
    post(json.dumps(record.to_json()), "application/json")
    other = replace(record, line="other")
    counts = bring_in(line(), ndjson(other).decode().strip())
    assert str(counts) == "stored 1, known already 0, rejected 1"
    assert counts.rejections == [f"line 2: a record with the id {record.id} exists and is another one"]
    assert "other" not in lines()


def test_two_contents_of_one_id_in_one_file(record: Record, lines):
    both = ndjson(record, replace(record, line="other")).decode().splitlines()
    assert str(bring_in(*both)) == "stored 1, known already 0, rejected 1"
    assert lines() == [record.line]


def test_text_and_records_in_one_file(record: Record, lines):
    assert bring_in(line(-1), *ndjson(record).decode().splitlines(), line(2)).stored == 3
    assert lines() == [line(-1), record.line, line(2)]


# lines of other programs


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


# cases of the real world: line number, time, uptime in hours, free disk in MiB
FILES: dict[str, list[tuple[int, str, float | None, float | None]]] = {
    "a": [
        (1, "2025-09-28T13:18:09Z", 0.98, 432951),
        (2, "2025-09-28T13:18:09Z", 0.977, 432951),
        (3, "2025-09-27T17:37:40Z", 0, 962100),
        (4, "2025-09-27T17:37:40Z", 0, 962100),
        (5, "2025-09-18T15:17:38.002Z", 0.74, 972824),
        (6, "2025-09-28T17:34:44.501220Z", 0.02, 943665),
    ],
    "b": [
        (2, "2025-09-24T21:22:55Z", 0.01, 965344),
        (3, "2025-09-24T21:22:55Z", 0.01, 965344),
        (4, "2025-09-22T13:05:07.920Z", 1.24, 14645),
        (5, "2025-09-22T13:05:08Z", 1.24, 14644.28),
        (6, "2025-09-23T16:01:36Z", 0, 972878),
    ],
    "c": [
        (1, "2025-09-13T15:33:56Z", None, 470003),
        (2, "2025-09-13T16:02:30Z", None, 469529),
        (4, "2025-09-19T14:27:21.592Z", 0.1, None),
    ],
}
HERE = Path(__file__).parent


@pytest.mark.parametrize("name", FILES)
def test_files_of_other_programs(name: str):
    data = (HERE / f"lines-{name}.txt").read_bytes()
    counts = Counts()
    list(importing.bring_in(import_lines.lines_of(io.BytesIO(data)), counts, settings.DATA_DIR))
    texts = data.decode().split("\n")
    wanted = sorted((at(time), number, texts[number - 1], hours, disk) for number, time, hours, disk in FILES[name])
    stored = LogRecord.objects.values_list("timestamp", "line", "host_uptime_seconds", "disk_free_bytes")
    assert [(time, text, seconds and round(seconds, 6), size) for time, text, seconds, size in stored] == [
        (time, text, hours and round(hours * 3600, 6), None if disk is None else round(disk * 2**20))
        for time, _, text, hours, disk in wanted
    ]
    assert counts.rejected == (2 if name == "c" else 0)
    assert counts.rejections == (
        [f"line 3: {NO_TIME}: ----", f"line 5: {NO_TIME}: {texts[4][:60]}…"] if name == "c" else []
    )
    again = bring_in(*texts)
    assert (again.stored, again.known) == (0, len(wanted))


def test_a_time_is_stored_as_django_would_store_it(lines):
    """To the letter, as SQLite compares texts: else lines stand in another order than that of their times."""
    notations = ["T13:18:09Z", "T13:18:09.5Z", "T15:18:09.25+02:00", " 13:18:09 UTC", " 13:18:09.000000001 UTC"]
    bring_in(*(f"{day}{text}: uptime" for day in ("2025-09-28", "0099-01-02") for text in notations))
    usual = [f"2025-09-27{text}: uptime 1.00 hours, free disk in root: 1 MBytes" for text in notations]
    bring_in(*usual)
    with connection.cursor() as cursor:
        cursor.execute("SELECT CAST(timestamp AS text) FROM logs_logrecord")
        imported = sorted(stamp for (stamp,) in cursor.fetchall())
        LogRecord.objects.bulk_update(rows := list(LogRecord.objects.all()), ["timestamp"])
        cursor.execute("SELECT CAST(timestamp AS text) FROM logs_logrecord")
        assert imported == sorted(stamp for (stamp,) in cursor.fetchall())
    assert len(rows) == 15


NOTATIONS = [
    "{:%FT%TZ}",
    "{:%F %T} UTC",
    "{:%FT%T.%f}999Z",
    "{:%a %b %d %T UTC %Y}",
    "Timestamp1: {:%FT%T.%fZ}",
    "{:%F %T} +0000 UTC",
]
PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=20)


@hypothesis_settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(PRINTABLE, st.datetimes(), st.sampled_from(NOTATIONS), PRINTABLE), max_size=5))
def test_every_line_is_kept_byte_for_byte_and_only_once(parts: list[tuple[str, datetime, str, str]]):
    LogRecord.objects.all().delete()
    file = [
        f"x{before} {notation.format(moment.replace(year=2000 + moment.year % 20))} {after}"
        for before, moment, notation, after in parts
    ]
    assert bring_in(*file).rejections == []
    assert sorted(LogRecord.objects.values_list("line", flat=True)) == sorted(file)
    assert str(bring_in(*file)) == f"stored 0, known already {len(file)}, rejected 0"


def test_lines_of_one_moment_in_several_notations_stay_in_the_file_s_order(lines):
    file = [
        "b 2025-09-28T13:18:09Z",
        "a 2025-09-28T15:18:09+02:00",
        "Sun Sep 28 13:18:09 UTC 2025",
        "c 2025-09-28T13:18:08Z",
    ]
    bring_in(*file)
    assert lines() == [file[3], *file[:3]]


def test_empty_lines_crlf_and_a_byte_order_mark_are_no_content(import_log, lines):
    data = "\r\n".join(["\ufeff" + line(0), "", line(1), " ", line(2) + "\n", line(3)]).encode()
    assert import_log(data) == "stored 4, known already 0, rejected 0\n"
    assert lines() == [line(0), line(1), line(2), line(3)]
    assert import_log("\n".join([line(0), line(1), line(2), line(3)]).encode()).startswith("stored 0, known already 4")


def test_a_mark_and_nothing_else(import_log):
    assert import_log("\ufeff\r\n".encode()) == "stored 0, known already 0, rejected 0\n"


def test_a_posted_line_of_another_program_at_its_arrival_is_not_the_file_s(post):
    text = "Timestamp1: 2025-09-24T21:22:55Z: uptime 0.01 hours, free disk in root: 965344 MBytes"
    post(text)
    assert str(bring_in(text)) == "stored 1, known already 0, rejected 0"
    assert str(bring_in(text)) == "stored 0, known already 1, rejected 0"


def test_a_file_without_a_good_line_at_its_beginning_is_refused(import_log, lines, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(
        CommandError, match=r"none of the first 100 lines is a record; nothing was stored.*uptime 8.907"
    ):
        import_log(("hello\n\n" * 100 + f"{line()}\n").encode())
    assert "line 1: it has no time" in capsys.readouterr().err
    assert lines() == []
    assert Edition.current() == 0


def test_one_good_line_among_the_first_hundred_is_enough(lines):
    assert bring_in(*["hello"] * 99, line(), *["hello"] * 200).stored == 1
    assert lines() == [line()]


# what would be


def test_a_dry_run_says_what_would_be_stored_and_stores_nothing(import_log, post, record: Record, lines):
    bring_in(line(0))
    post(json.dumps(record.to_json()), "application/json")
    file = [line(0), line(0), line(1), line(2), *ndjson(record, replace(record, id=uuid4())).decode().splitlines()]
    data = "\n".join([*file, file[-1]]).encode()
    printed = import_log(data, "--dry-run")
    assert printed == "would have stored 4, known already 3, rejected 0\n"
    assert len(lines()) == 2
    assert Edition.current() == 0
    assert import_log(data) == printed.removeprefix("would have ")


@pytest.mark.parametrize("chunk", [1, 2, 5000])
def test_a_dry_run_counts_as_the_import_does(import_log, record: Record, monkeypatch: pytest.MonkeyPatch, chunk: int):
    monkeypatch.setattr(importing, "CHUNK", chunk)
    bring_in(*ndjson(record).decode().splitlines(), line(3))
    other = replace(record, id=uuid4())
    texts = [line(3), line(3), "hello", *ndjson(replace(record, line="x"), other, other).decode().splitlines()]
    data = "\n".join(texts).encode()
    said = []
    for options in (["--dry-run"], []):
        counts = Counts()
        list(
            importing.bring_in(
                import_lines.lines_of(io.BytesIO(data)), counts, settings.DATA_DIR, dry_run=bool(options)
            )
        )
        said.append((str(counts), counts.rejections))
    assert said[0] == said[1]


def test_a_dry_run_fails_where_the_import_would(import_log):
    with pytest.raises(CommandError, match="the rejected lines would be left out"):
        import_log(f"{line()}\nhello".encode(), "--dry-run")


# what is rejected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"hello", f"{NO_TIME}: hello"),
        (line().encode()[20:], f"{NO_TIME}: {line()[20:]}"),
        (b"x" * 61, f"{NO_TIME}: {'x' * 60}…"),
        (b"2025-02-30T00:00:00Z" + line().encode()[20:], f"{NO_TIME}: 2025-02-30T00:00:00Z{line()[20:60]}…"),
        (
            b"2025-09-28 13:18:09: uptime",
            "its time 2025-09-28 13:18:09 has no zone, such as Z, UTC or +02:00: 2025-09-28 13:18:09: uptime",
        ),
        ("\u00a0".encode(), "the line is blank"),
        (line().encode() + b"\r\r", "character U+000D at column 73 is not allowed"),
        (line().encode() + "\u202e".encode(), "character U+202E at column 73 is not allowed"),
        ((line() + " " * 4096).encode(), "the line has 4,168 characters; 4,096 are allowed"),
        (b"\xff", "not UTF-8: byte 0xff is wrong there"),
        (b"x" * 5000, "the line has 5,000 characters; 4,096 are allowed"),
        (b"x" * 200_000, "the line has 65,536 bytes or more"),
        (b"{", "no JSON: Expecting property name enclosed in double quotes at column 2"),
        (b'{"a":' * 10_000, "no JSON: nested too deeply"),
        (b"{}", "field 'id' is missing"),
        (b'{"id": ' + b"9" * 5000 + b"}", "no JSON: a number has too many digits"),
    ],
)
def test_other_lines_are_rejected_by_their_number_and_the_others_stored(data: bytes, reason: str, lines):
    counts = Counts()
    file = io.BytesIO(line(0).encode() + b"\n" + data + b"\n" + line(1).encode())
    list(importing.bring_in(import_lines.lines_of(file), counts, settings.DATA_DIR))
    assert counts.rejections == [f"line 2: {reason}"]
    assert lines() == [line(0), line(1)]


def test_what_has_not_come_yet_is_rejected(record: Record, lines):
    future = datetime.now(UTC) + timedelta(minutes=1)
    text = f"{future:%FT%T}Z{line()[20:]}"
    counts = bring_in(text, ndjson(replace(record, timestamp=future)).decode().strip())
    assert counts.rejected == 2
    assert show_timestamp(future.replace(microsecond=0)) in counts.rejections[0]
    assert lines() == []


def test_the_command_says_which_lines_and_how_many(import_log, capsys: pytest.CaptureFixture[str], lines):
    with pytest.raises(CommandError, match="the rejected lines were left out; all others are in the log"):
        import_log((line() + "\n" + "hello\n" * 25).encode())
    printed = capsys.readouterr().err.splitlines()
    assert printed[0] == f"line 2: {NO_TIME}: hello"
    assert len(printed) == importing.SHOWN + 1
    assert printed[-1] == "… and 5 more"
    assert lines() == [line()]


# what goes on beside it


def test_a_new_edition_begins_if_something_was_stored(import_log):
    import_log(line().encode())
    assert Edition.current() == 1
    import_log(line().encode())
    assert Edition.current() == 1
    import_log(b"")
    import_mark.settle(settings.DATA_DIR)
    assert Edition.current() == 1


def test_a_killed_import_is_followed_too():
    with pytest.raises(MemoryError), import_mark.marked(settings.DATA_DIR):
        bring_in(line())
        import_mark.settle(settings.DATA_DIR)
        assert Edition.current() == 0  # it is still at work
        raise MemoryError
    for _ in range(2):
        import_mark.settle(settings.DATA_DIR)
        assert Edition.current() == 1


def test_one_of_two_imports_is_killed():
    with import_mark.marked(settings.DATA_DIR):
        with pytest.raises(MemoryError), import_mark.marked(settings.DATA_DIR):
            raise MemoryError
        with import_mark.marked(settings.DATA_DIR):
            pass
        import_mark.settle(settings.DATA_DIR)
        assert Edition.current() == 0  # the first one begins it for all
    import_mark.settle(settings.DATA_DIR)
    assert Edition.current() == 0


@pytest.mark.sqlite
def test_a_disk_that_fills_up_stops_it(import_log, settings: Settings, lines):
    settings.MIN_FREE_BYTES = 2**62
    with pytest.raises(CommandError, match=r"MIN_FREE_BYTES.*import the same file again"):
        import_log(line().encode())
    assert lines() == []


def test_no_transaction_is_longer_than_a_chunk(django_assert_num_queries, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importing, "CHUNK", 2)
    with django_assert_num_queries(3 * 4):  # BEGIN (a savepoint here), what is known, the insert, COMMIT
        bring_in(*(line(second) for second in range(5)))


def test_nothing_is_left_in_the_folder():
    before = set(settings.DATA_DIR.iterdir())
    bring_in(line())
    assert set(settings.DATA_DIR.iterdir()) == before
