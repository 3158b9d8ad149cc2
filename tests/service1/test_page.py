"""What the status page says, and how it draws: without any service."""

import math
import re
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from runpy import run_path
from threading import Timer
from uuid import UUID

import pytest
from django.template import Context
from django.test import Client

from service1.page import charts, lanes, stores, words
from service1.page.axis import SPANS, WIDTH, Axis
from service1.page.charts import Point
from service1.page.files import FILES
from service1.page.look import Answer, Failed, Look, Overview, Report, Rows, _end
from service1.page.state import Overall, overall, services
from service1.page.stores import Ends
from service1.page.view import NUMBERS, _context, _lanes, _numbers, _template
from statuslog import shown
from statuslog.record import Measurement, Record
from tests.processes import ROOT

NOW = datetime(2025, 9, 26, 16, 45, 6, tzinfo=UTC)
MEASURED = Measurement(
    host_uptime_seconds=32065.2, container_uptime_seconds=3600.0, disk_free_bytes=1, disk_total_bytes=4
)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


# words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (32065, "8 h 54 min"), (86_400, "1 day 0 h"), (266_400, "3 days 2 h")],
)
def test_a_duration(seconds: float, text: str):
    assert shown.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0.00 MiB"), (2**20, "1.00 MiB"), (37_966_567_375, "35.36 GiB"), (5 * 2**40, "5.00 TiB")]
)
def test_a_size(count: int, text: str):
    assert shown.size(count) == text


def test_every_reason_that_the_code_names_is_a_sentence():
    """Those that /readyz of a service can name, wherever they stand in the code: on the page and in the terminal."""
    sources = [ROOT / name for name in ("statuslog/vstorage.py", "statuslog/delivery.py", "storage/logs/readiness.py")]
    named = {
        name
        for source in sources
        for name in re.findall(r'(?:VstorageError\(|yield |found\.append\()"([a-z]+_[a-z_]+)"', source.read_text())
    }
    assert {"storage_unreachable", "vstorage_stale", "disk_low"} <= named
    assert named == words.REASONS.keys()
    assert named == run_path(str(ROOT / "manage" / "status.py"))["WORDS"].keys()
    assert words.reason("of_another_version") == "Of another version."


# the state


def record(service: str, seconds: float) -> Record:
    return Record(id=UUID(int=1), service=service, timestamp=ago(seconds), line="x")


def seen(
    *,
    service1: Report | None = None,
    service2: Answer[Report] | None = None,
    storage: Report | None = None,
    failure: str = "",
    records: Sequence[Record] = (),
) -> Look:
    latest = {record.service: record for record in records}
    known = Overview(storage or Report(measured=MEASURED), latest, {})
    return Look(
        NOW,
        service1 or Report(measured=MEASURED),
        service2 or Answer(Report(measured=MEASURED)),
        Answer(failure=failure) if failure else Answer(known),
        Answer(Rows([], "")),
    )


def said(look: Look) -> Overall:
    return overall(look, services(look))


def test_all_right():
    look = seen(records=[record("service1", 70), record("service2", 60)])
    assert said(look) == Overall("ok", "Everything is all right", ["The last record came 1 min ago."])
    card = services(look)[0]
    assert (card.state, card.host, card.container, card.outbox) == ("ok", "8 h 54 min", "1 h 0 min", "empty")
    assert (card.disk.name, card.disk.used) == ("Disk", 75)
    assert [one.last.ago for one in services(look) if one.last] == ["1 min ago"] * 3


def test_no_records_yet():
    assert said(seen()) == Overall("ok", "Everything is all right", ["There are no records yet."])


def test_service2_is_down():
    look = seen(service2=Answer(failure="connection refused"), records=[record("service1", 1)])
    assert said(look).headline == "service2 is down"
    assert services(look)[1].reasons == ["It does not answer: connection refused."]
    assert services(look)[1].host == "unknown"


def test_storage_is_down():
    look = seen(service1=Report(["storage_unreachable"], MEASURED, waiting=3), failure="no answer within 2.4 s")
    assert (said(look).state, said(look).headline) == ("down", "Storage is down")
    assert said(look).details[0] == "3 records wait in an outbox, on the disk, until storage takes them."
    assert [card.state for card in services(look)] == ["degraded", "ok", "down"]
    assert not services(look)[0].log_known


def test_both_are_down():
    look = seen(service2=Answer(failure="x"), failure="y")
    assert said(look).headline == "service2 and storage are down"


def test_a_reason_is_a_sentence():
    look = seen(storage=Report(["disk_low"]), records=[record("service1", 1)])
    assert said(look).headline == "Storage needs attention"
    assert services(look)[2].reasons == [words.REASONS["disk_low"]]


def test_without_its_database_storage_does_not_say_that_the_log_is_empty():
    look = seen(storage=Report(["database_unreachable"]))
    assert said(look).details == [
        "What the log holds cannot be shown now. New records are kept: they wait in an outbox."
    ]
    assert not services(look)[0].log_known


def test_records_wait():
    look = seen(service2=Answer(Report(waiting=1)), records=[record("service1", 1)])
    assert said(look) == Overall(
        "degraded",
        "Records wait to be delivered",
        ["1 record waits in an outbox, on the disk, until storage takes it.", "The last record came 1 s ago."],
    )
    assert services(look)[1].waits


def test_records_were_refused():
    look = seen(service1=Report(refused=2), records=[record("service1", 1)])
    assert services(look)[0].state == "degraded"
    assert services(look)[0].reasons[0].startswith("storage has refused 2 records for good")


def test_nothing_new_for_long():
    look = seen(records=[record("service1", 7300)])
    assert said(look) == Overall(
        "stale", "All is well, but there is nothing new", ["The last record is 2 h 1 min old."]
    )
    last = services(look)[0].last
    assert last and last.note == "stale"


def test_a_record_of_the_future():
    look = seen(records=[record("service2", -3600), record("service1", 5)])
    assert said(look).headline == "A record is dated in the future"
    assert [one.last.note for one in services(look) if one.last] == ["", "future", "future"]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"reasons": []},
        {"reasons": 5, "measured": {}},
        {"reasons": [], "measured": {"disk_free_bytes": "x"}},
        {"reasons": [], "measured": {"host_uptime_seconds": math.nan}},
        {"reasons": [], "measured": {}, "outbox": {"waiting": "many"}},
    ],
)
def test_an_answer_that_is_none_of_ours(answer: object):
    with pytest.raises(Failed):
        Report.of(answer)


# the two stores


def differ(folder: Path, file: str, *log: str, edition: int = 0, before: str | None = None) -> str:
    path = folder / "vstorage"
    path.write_text(file if before is None else before)
    seen_before = stores.last_lines(path)
    path.write_text(file)
    ends = Ends(edition, log[:2], log[-2:])
    return stores.difference(path, seen_before, ends, time.monotonic() + 0.3)


@pytest.mark.parametrize(
    ("file", "log", "where"),
    [
        ("", (), ""),
        ("a\nb\nc\n", ("a", "b", "c"), ""),
        ("a\nb\nb\n", ("a", "b", "b"), ""),
        ("", ("a",), "end"),
        ("a\n", (), "end"),
        ("a\nb\n", ("a", "b", "c"), "end"),
        ("a\nb\nc\nd\n", ("a", "b", "c"), "end"),
        ("x\nb\nc\n", ("a", "b", "c"), "beginning"),
        ("a\nb\nc", ("a", "b", "c"), "end"),
    ],
)
def test_where_the_stores_differ(tmp_path: Path, file: str, log: tuple[str, ...], where: str):
    assert differ(tmp_path, file, *log) == where


def test_what_comes_while_the_stores_are_compared_is_no_difference(tmp_path: Path):
    assert differ(tmp_path, "a\nb\nc\nd\n", "a", "b", "c", before="a\nb\n") == ""


def test_a_line_that_comes_a_moment_later_is_no_difference(tmp_path: Path):
    path = tmp_path / "vstorage"
    path.write_text("a\n")
    Timer(0.2, path.write_text, ["a\nb\n"]).start()
    assert stores.difference(path, ["a"], Ends(0, ["a", "b"], ["a", "b"]), time.monotonic() + 5) == ""


def test_of_a_large_file_only_the_ends_are_read(tmp_path: Path):
    lines = [f"{number:09}" * 9 for number in range(2000)]
    path = tmp_path / "vstorage"
    path.write_text("".join(f"{line}\n" for line in lines))
    before = stores.last_lines(path)
    assert len("\n".join(before)) < stores.LOOKED_AT
    assert stores.difference(path, before, Ends(0, lines[:20], lines[-20:]), time.monotonic() + 1) == ""
    assert stores.difference(path, before, Ends(0, lines[1:20], lines[-20:]), time.monotonic() + 1) == "beginning"


def test_the_stores_differ():
    look = replace(seen(records=[record("service1", 1)]), differ="end")
    assert (said(look).state, said(look).headline) == ("degraded", "The two stores differ")
    assert "not equal at their end: ./manage_all.sh verify shows the lines." in said(look).details[-1]


# the cards


def test_storage_s_card_shows_the_disk_of_its_data():
    look = seen(storage=Report(["disk_low"], MEASURED))
    known = look.overview.value
    assert known
    data = Measurement(disk_free_bytes=100 * 2**20, disk_total_bytes=200 * 2**20)
    card = services(replace(look, overview=Answer(replace(known, data_disk=data))))[2]
    assert (card.disk.name, card.disk.free, card.disk.total, card.disk.used) == (
        "Data disk",
        "100.00 MiB",
        "200.00 MiB",
        50,
    )


def test_unknown_free_disk():
    card = services(seen(service1=Report(measured=Measurement())))[0]
    assert (card.disk.free, card.disk.total, card.host, card.container) == ("unknown", "", "unknown", "")


def test_where_there_is_no_container_none_is_up():
    measured = Measurement(host_uptime_seconds=1000.0, container_uptime_seconds=999.5)
    assert services(seen(service1=Report(measured=measured)))[0].container == ""


def test_nobody_is_waited_for_beyond_the_time():
    """Not even where a peer's own time-out does not reach, as while its name is looked up."""
    never: Future[Report] = Future()
    assert _end(never, time.monotonic() + 0.01) == Answer(failure="no answer within 2.4 s")
    assert never.cancelled()


# the pages of records


def pages(found: int, cursor: str, *turned: str) -> tuple[dict[str, str], str]:
    """The links of the page, and what it says where there are no records."""
    look = replace(seen(), rows=Answer(Rows([record("service1", 1)] * found, cursor)))
    context = _context(look, SPANS["week"], {"contains": "x"}, list(turned), "")
    text = _template.render(Context(context))
    empty = re.findall(r'<div class="empty"( hidden)?>\s*<h3>(.*?)</h3>', text)
    said = "".join(heading for hidden, heading in empty if not hidden)
    return {name: context[name] for name in ("older", "on", "newer", "newest") if context[name]}, said


def test_a_search_that_has_stopped_goes_on():
    here = "?contains=x&span=week"
    assert pages(0, "c1") == ({"on": f"{here}&cursor=c1"}, "Nothing found so far")
    assert pages(3, "c2", "c1") == ({"on": f"{here}&cursor=c1~c2", "newer": here}, "")
    assert pages(0, "") == ({}, "Nothing found")


def test_pages_back_to_the_newest():
    here = "?contains=x&span=week"
    assert pages(12, "c1") == ({"older": f"{here}&cursor=c1"}, "")
    links, _ = pages(12, "", "c1", "c2")
    assert links == {"newer": f"{here}&cursor=c1", "newest": here}
    assert pages(0, "", "c1")[1] == "Nothing older"


# the charts


def axis(span: str = "hour") -> Axis:
    return Axis(SPANS[span], NOW)


def point(seconds: float, free: int | None = 5 * 2**30, up: float | None = 60.0) -> Point:
    return Point(ago(seconds), up, up, free)


def disk(*points: Point, span: str = "hour") -> charts.DiskChart:
    chart = charts.disk_chart(axis(span), {"service1": points}, NUMBERS)
    assert chart
    return chart


@pytest.mark.parametrize(
    ("span", "begin", "texts"),
    [
        ("hour", ago(3600), ["16:00", "16:15", "16:30", ""]),
        ("day", ago(86_400), ["18:00", "00:00", "06:00", "12:00"]),
        ("week", ago(7 * 86_400), ["", "Sun 21", "Mon 22", "Tue 23", "Wed 24", "Thu 25", ""]),
        ("month", ago(30 * 86_400), ["1 Sep", "8 Sep", "15 Sep", ""]),
    ],
)
def test_a_chart_ends_now_and_its_ticks_are_round(span: str, begin: datetime, texts: list[str]):
    found = axis(span)
    assert (found.begin, found.end) == (begin, NOW)
    assert [tick.text for tick in found.ticks] == texts
    assert (found.x(found.begin), found.x(found.end)) == (0, WIDTH)
    assert all(tick.percent == pytest.approx(tick.x / 10, abs=0.1) for tick in found.ticks)


def test_more_is_higher():
    [line] = disk(point(3000, 4 * 2**30), point(2800, 5 * 2**30)).lines
    (x, y), (later, higher) = ((float(a), float(b)) for a, b in re.findall(r"([\d.]+) ([\d.]+)", line.path))
    assert x < later
    assert y > higher
    assert (line.newest, line.lowest, line.highest) == ("5.00 GiB", "4.00 GiB", "5.00 GiB")


def test_what_lies_far_apart_is_not_joined():
    assert disk(point(3000), point(2900), point(60)).lines[0].path.count("M") == 2


def test_a_lonely_point_is_a_dot():
    assert re.fullmatch(r"M[\d.]+ [\d.]+h0", disk(point(60)).lines[0].dots)


def test_a_column_says_what_stands_there():
    [column] = disk(point(60)).columns
    assert column.text == "26 Sep, 16:44 UTC\nservice1: 5.00 GiB"


def test_a_column_says_how_low_and_high_it_was():
    [column] = disk(point(1000, 5 * 2**30), point(990, 100 * 2**20), point(980, 3 * 2**30), span="day").columns
    assert column.text.endswith("service1: 3.00 GiB, between 100.00 MiB and 5.00 GiB")


def test_the_line_goes_through_the_lowest_and_the_highest():
    [line] = disk(point(1000, 5 * 2**30), point(990, 100 * 2**20), point(980, 3 * 2**30), span="month").lines
    assert (line.newest, line.lowest, line.highest) == ("3.00 GiB", "100.00 MiB", "5.00 GiB")
    assert line.path.count("L") == 2


def test_records_without_a_service_have_a_name_and_a_colour():
    numbers = _numbers(["", "service2", *"abcde"])
    chart = charts.disk_chart(axis(), {"": [point(60)], "service2": [point(50)]}, numbers)
    assert chart
    assert [(line.name, line.number) for line in chart.lines] == [("no service", 4), ("service2", 2)]
    assert [bool(line.area) for line in chart.lines] == [True, False]
    assert "no service: 5.00 GiB" in chart.columns[0].text
    assert [numbers[name] for name in "abcde"] == [5, 6, 7, 7, 7]


@pytest.mark.parametrize("free", [0, 1, 5 * 2**20, 7 * 2**40, 2**63 - 1])
def test_any_size_has_an_axis(free: int):
    chart = disk(point(60, free), point(50, free))
    assert 2 <= len(chart.ticks) <= 8
    assert all(0 <= y <= charts.HEIGHT for y in chart.grid)
    assert len(set(chart.ticks)) == len(chart.ticks)


def test_nothing_measured():
    assert charts.disk_chart(axis(), {"service1": [point(60, None)], "service2": []}, NUMBERS) is None


def lane(*seen: tuple[float, float]) -> lanes.Lane:
    return lanes.lane(axis(), "service1", 1, [(ago(seconds), up) for seconds, up in seen], "up 1 min")


def test_one_run():
    found = lane((3000, 100.0), (10, 3090.2))
    assert len(found.bars) == 1
    assert found.bars[0].text.startswith("service1: up since 2025-09-26 15:53:26 UTC")
    assert found.starts == "1 start"


def test_a_run_that_began_before_the_chart_has_no_mark():
    found = lane((3000, 50_000.0), (10, 52_990.0))
    assert [(bar.x, bar.mark) for bar in found.bars] == [(0, None)]
    assert found.starts == "no restart"


def test_a_restart():
    found = lane((3000, 50_000.0), (1000, 500.0), (10, 1490.0))
    assert len(found.bars) == 2
    assert found.bars[1].mark == axis().x(ago(1500))
    assert found.starts == "1 start"


def test_the_older_of_two_replicas_is_no_restart():
    assert len(lane((1000, 500.0), (900, 50_000.0), (800, 700.0), (700, 50_200.0)).bars) == 1


def test_a_line_from_elsewhere_is_no_restart_of_the_host():
    look = seen()
    known = look.overview.value
    assert known
    series = {"service1": [point(3000, up=29_065.2)], "": [point(2000, up=36.0), point(1000, up=None)]}
    host, *_ = _lanes(axis(), replace(look, overview=Answer(replace(known, series=series))))
    assert (host.name, len(host.bars), host.starts) == ("host", 1, "no restart")


def test_nobody_seen():
    assert (lane().bars, lane().starts) == ([], "")


# the files


@pytest.mark.urls("service1.urls")
def test_the_files_are_compressed_and_kept_for_ever(client: Client):
    for name, file in FILES.items():
        plain = client.get(f"/page/{name}")
        zipped = client.get(f"/page/{name}", headers={"Accept-Encoding": "br, gzip"})
        assert plain.content == file.content
        assert len(zipped.content) < len(plain.content) / 2
        assert zipped["Content-Encoding"] == "gzip"
        assert "immutable" in plain["Cache-Control"]


@pytest.mark.urls("service1.urls")
@pytest.mark.parametrize("name", ["page.css", "page.html", "view.py", "..%2fsettings.py"])
def test_no_other_file_is_handed_out(client: Client, name: str):
    assert client.get(f"/page/{name}").status_code == 404
