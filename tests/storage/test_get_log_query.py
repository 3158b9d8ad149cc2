"""The parameters of `GET /log`: what each asks for, and what is said of a wrong one."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client

from logs import pages
from logs.models import LogRecord
from logs.query import FORMATS, PARAMETERS, Place, parse
from statuslog.record import RecordError
from tests.quantities import DURATIONS
from tests.storage.conftest import MOMENT
from tests.storage.test_get_log import keep

pytestmark = [pytest.mark.django_db, pytest.mark.urls("storage.urls")]

A_TIME = (
    "a time with its zone, such as 2025-09-26T16:45:06.123456Z; a day (UTC), such as 2025-09-26, today or yesterday; "
    "or so long ago, such as 15m, 1h30m, 2d or 1w"
)


def numbers(client: Client, query: str) -> list[int]:
    """The numbers of the lines that are answered."""
    answer = client.get(f"/log?{query}")
    assert answer.status_code == 200, answer.text
    return [int(line.split()[1]) for line in answer.getvalue().decode().splitlines()]


@pytest.fixture
def labelled(db: None) -> None:
    """Ten records of one time each, of three services on four instances."""
    keep(*range(10))
    for row in LogRecord.objects.all():
        number = int(row.line.split()[1])
        row.service, row.instance = f"s{number % 3}", f"i{number % 4}"
        row.save()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("service=s1", [1, 4, 7]),
        ("instance=i1", [1, 5, 9]),
        ("service=s1&instance=i0", [4]),
        ("service=s", []),
        ("service=", []),
        ("contains=e+7", [7]),
        ("contains=LINE", []),
        ("contains=%25", []),
        ("order=desc&limit=3", [9, 8, 7]),
        ("order=asc&limit=2", [0, 1]),
        ("order=desc&service=s0", [9, 6, 3, 0]),
        ("tail=3", [7, 8, 9]),
        ("tail=0", []),
        ("tail=11", list(range(10))),
        ("tail=2&service=s1", [4, 7]),
        ("tail=2&contains=line", [8, 9]),
        ("tail=2&until=2025-09-26T16:45:10Z", [2, 3]),
        ("contains=line&limit=2&order=desc", [9, 8]),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_part_of_the_log(
    client: Client, labelled: None, monkeypatch: pytest.MonkeyPatch, query: str, expected: list[int], size: int
):
    monkeypatch.setattr(pages, "PAGE", size)
    assert numbers(client, query) == expected


@pytest.mark.parametrize("limit", range(8))
def test_records_of_one_time_are_told_apart_in_both_directions(
    client: Client, monkeypatch: pytest.MonkeyPatch, limit: int
):
    monkeypatch.setattr(pages, "PAGE", 2)
    keep(*[0] * 7)
    assert numbers(client, f"order=desc&limit={limit}") == list(range(7))[::-1][:limit]
    assert numbers(client, f"tail={limit}") == list(range(7))[7 - limit :]


def test_long_lines_make_short_pages(client: Client, django_assert_num_queries, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pages, "FIRST_PAGE", 2)
    monkeypatch.setattr(pages, "PAGE_CHARACTERS", 2 * 21)  # three lines of 6
    keep(*range(8))
    with django_assert_num_queries(3 + 3):  # of 2, 3 and 3; the last might not have been the end
        assert numbers(client, "limit=8") == list(range(8))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 50])
@pytest.mark.parametrize("times", [[0] * 9, [0, 1, 1, 1, 2, 2, 3], [5, 4, 3, 2, 1], [3, 0, 3, 0, 3, 1, 3, 2]])
def test_the_text_is_the_same_however_its_pages_fall(
    client: Client, monkeypatch: pytest.MonkeyPatch, times: list[int], size: int
):
    monkeypatch.setattr(pages, "PAGE", size)
    monkeypatch.setattr(pages, "FIRST_PAGE", size)
    keep(*times)
    ordered = sorted(range(len(times)), key=lambda number: (times[number], number))
    inner = [number for number in ordered if 1 <= times[number] < 3]
    window = "since=2025-09-26T16:45:07.123456Z&until=2025-09-26T16:45:09.123456Z"
    assert numbers(client, "") == ordered
    assert numbers(client, "order=desc") == ordered[::-1]
    assert numbers(client, window) == inner
    assert numbers(client, f"{window}&order=desc") == inner[::-1]
    for tail in range(len(times) + 1):
        assert numbers(client, f"tail={tail}") == ordered[len(times) - tail :]
    place = client.get("/log?format=json&limit=2").json()["next"].rpartition("=")[2]
    assert numbers(client, f"cursor={place}") == ordered[2:]
    place = client.get("/log?format=json&limit=2&order=desc").json()["next"].rpartition("=")[2]
    assert numbers(client, f"order=desc&cursor={place}") == ordered[::-1][2:]


@pytest.mark.parametrize(("text", "meant"), DURATIONS.items())
def test_a_time_can_be_so_long_ago(text: str, meant: timedelta):
    query = parse(QueryDict(f"since={text}"))
    assert query.since is not None
    assert abs(datetime.now(UTC) - meant - query.since) < timedelta(seconds=5)
    assert query.moving


def test_a_time_can_be_a_day():
    query = parse(QueryDict("since=2025-09-26&until=yesterday"))
    assert query.since == MOMENT.replace(hour=0, minute=0, second=0, microsecond=0)
    assert query.until is not None
    assert timedelta(days=1) <= datetime.now(UTC) - query.until < timedelta(days=2, seconds=5)
    assert query.moving
    assert not parse(QueryDict("since=2025-09-26")).moving


def test_longer_ago_than_there_are_years_is_before_all_records(client: Client):
    keep(*range(2))
    assert numbers(client, "since=999999999d") == [0, 1]
    assert numbers(client, "until=999999999d") == []


@pytest.mark.parametrize(
    "text", ["2025-09-26T18:45:06+02:00", "2025-09-26T18:45:06%2B02:00", "2025-09-26T18:45:06%2B0200"]
)
def test_the_offset_of_a_time_may_be_written_with_a_plain_plus(text: str):
    assert parse(QueryDict(f"since={text}")).since == MOMENT.replace(microsecond=0)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("since=tomorrow", f"since: must be {A_TIME}"),
        ("since=15M", f"since: must be {A_TIME}"),
        ("until=2025-09-26T16:45:06", f"until: must be {A_TIME}"),
        ("limit=-1", "limit: must be a whole number, 0 or more"),
        ("limit=ten", "limit: must be a whole number, 0 or more"),
        ("limit=", "limit: must be a whole number, 0 or more"),
        ("tail=9999999999999999999999", "tail: must be a whole number, 0 or more"),
        ("order=up", "order: must be one of asc, desc"),
        ("format=xml", "format: must be one of text, json, ndjson, csv"),
        ("contains=", "contains: must be a text of 1 to 255 characters without control characters"),
        ("service=%00", "service: must be a text of at most 255 characters without control characters"),
        ("cursor=x", "cursor: must be taken from the `next` of a page, as it is"),
        ("cursor=MSAxIDE=", "cursor: must be taken from the `next` of a page, as it is"),
        ("limit=1&limit=2", "limit: given 2 times; once is allowed"),
        ("tail=1&limit=2", "tail: goes without limit; leave one of the two out"),
        ("limit=1001&format=json", "limit: must be 1 to 1,000 with format=json; format=ndjson has no end"),
        (
            "sevice=a",
            "unknown parameter 'sevice'; known are "
            "service, instance, since, until, contains, limit, order, tail, cursor, format, follow",
        ),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(client: Client, query: str, why: str):
    answer = client.get(f"/log?{query}", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["detail"]) == (400, why)
    if "format=json" not in query:
        assert client.get(f"/log?{query}").text == f"{why}\n"


def test_a_place_is_what_its_text_says():
    place = Place(MOMENT, 7, 9)
    assert Place.parse(str(place)) == place
    assert re.fullmatch(r"[\w-]+", str(place))  # nothing that a query would have to quote


def test_the_table_says_what_is_there():
    """Its schemas are what the description of the API is made of."""
    schemas = {parameter.name: parameter.schema for parameter in PARAMETERS}
    assert schemas["format"]["enum"] == list(FORMATS) == ["text", "json", "ndjson", "csv"]
    for parameter in PARAMETERS:
        for value in parameter.schema.get("enum", ()):
            assert parameter.read(str(value)) in (value, bool(value))
    with pytest.raises(RecordError):
        parse(QueryDict("format=TEXT"))


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("", "log_order"),
        ("limit=5", "log_order"),
        ("order=desc", "log_order"),
        ("tail=5", "log_order"),
        ("since=2025-01-01T00:00:00Z&until=2027-01-01T00:00:00Z", "log_order"),
        ("service=s1", "log_service"),
        ("service=s1&since=2025-01-01T00:00:00Z", "log_service"),
        ("service=s1&tail=5", "log_service"),
        ("instance=i1", "log_instance"),
        ("instance=i1&order=desc&until=2027-01-01T00:00:00Z", "log_instance"),
        ("instance=i1&tail=5", "log_instance"),
        ("contains=line", "log_order"),
        ("format=json&limit=2", "log_order"),
    ],
)
def test_every_page_is_read_in_the_order_of_an_index(
    client: Client,
    labelled: None,
    django_assert_max_num_queries,
    monkeypatch: pytest.MonkeyPatch,
    query: str,
    index: str,
):
    monkeypatch.setattr(pages, "PAGE", 2)
    with django_assert_max_num_queries(20) as queries:
        assert client.get(f"/log?{query}").getvalue()
    plans = [plan(query["sql"]) for query in queries]
    for found in plans[3:]:
        assert f"INDEX {index}" in found
    for found in plans:  # the first three are the edition and the log's ends
        assert "TEMP B-TREE" not in found
    if "format" not in query:
        assert "SEARCH" in plans[-1]  # behind the key, not all before it


def plan(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        return " ".join(row[3] for row in cursor.fetchall())
