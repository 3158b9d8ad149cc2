"""`GET /log` in its forms: pages of JSON, NDJSON, CSV; and what caches are told."""

import csv
import gzip
import io
import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from django.test import Client

from logs import pages
from logs.models import LogRecord
from statuslog.record import FIELDS, Record
from tests.storage.conftest import MOMENT
from tests.storage.test_get_log import keep

pytestmark = [pytest.mark.django_db, pytest.mark.urls("storage.urls")]


def late(client: Client, line: str, seconds: int) -> None:
    LogRecord.objects.create(
        record_id=UUID(int=10**6 + LogRecord.objects.count()),
        timestamp=MOMENT + timedelta(seconds=seconds),
        received_at=MOMENT,
        line=line,
    )


def walk(client: Client, address: str, between: Any = lambda: None) -> list[list[str]]:
    """The lines of each page from that address on; `between` is called after each."""
    found = []
    following: str | None = address
    while following:
        page = client.get(following).json()
        found.append([record["line"] for record in page["records"]])
        following = page["next"]
        between()
    return found


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text/plain; charset=utf-8"),
        ("*/*", "text/plain; charset=utf-8"),
        ("text/html, */*;q=0.1", "text/plain; charset=utf-8"),
        ("image/png", "text/plain; charset=utf-8"),
        ("application/json", "application/json"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("text/csv, application/json;q=0.5", "text/csv; charset=utf-8; header=present"),
    ],
)
def test_the_form_is_what_the_client_accepts_and_text_first(client: Client, accept: str, kind: str):
    assert client.get("/log", headers={"Accept": accept} if accept else {})["Content-Type"] == kind


def test_the_format_in_the_query_wins(client: Client):
    assert client.get("/log?format=csv", headers={"Accept": "application/json"})["Content-Type"].startswith("text/csv")


def test_a_page_is_a_list_of_whole_records(client: Client, post, record: Record):
    post(json.dumps(record.to_json()), "application/json")
    assert client.get("/log?format=json").json() == {"records": [record.to_json()], "next": None}


def test_an_empty_log_is_an_empty_page(client: Client):
    assert client.get("/log?format=json").json() == {"records": [], "next": None}


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_neither_lose_nor_repeat_a_record_of_one_time(client: Client, size: int, order: str):
    keep(3, 3, 3, 1, 3, 3)
    lines = [f"line {number}" for number in (3, 0, 1, 2, 4, 5)][:: 1 if order == "asc" else -1]
    found = walk(client, f"/log?format=json&limit={size}&order={order}")
    assert [line for page in found for line in page] == lines
    assert max(map(len, found)) <= size


def test_the_pages_are_the_log_as_it_was_at_the_first(client: Client):
    keep(1, 2, 3)
    late_ones = iter([(0, "before"), (2, "at the same time"), (9, "behind"), (9, "behind")])

    def more() -> None:
        seconds, line = next(late_ones)
        late(client, line, seconds)

    assert walk(client, "/log?format=json&limit=1", more) == [["line 0"], ["line 1"], ["line 2"]]


def test_what_is_deleted_between_two_pages_does_no_harm(client: Client):
    keep(*range(6))
    first = client.get("/log?format=json&limit=2").json()
    LogRecord.objects.filter(line__lt="line 3").delete()
    assert walk(client, first["next"]) == [["line 3", "line 4"], ["line 5"]]


def test_the_next_page_keeps_the_question(client: Client):
    keep(*range(3))
    following = client.get("/log?limit=1&contains=e+&since=9999d", headers={"Accept": "application/json"}).json()[
        "next"
    ]
    assert urlsplit(following).path == "/log"
    query = parse_qs(urlsplit(following).query)
    assert set(query) == {"limit", "contains", "since", "format", "cursor"}
    assert (query["contains"], query["format"]) == (["e "], ["json"])
    assert query["since"][0].endswith("Z")  # not "9999d", which would be a moment later by then


def test_tail_as_json_is_one_page(client: Client):
    keep(*range(5))
    page = client.get("/log?tail=2&format=json").json()
    assert ([record["line"] for record in page["records"]], page["next"]) == (["line 3", "line 4"], None)


def test_a_search_ends_after_a_moment_and_goes_on_behind(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pages, "SEARCH_SECONDS", 0)
    monkeypatch.setattr(pages, "PAGE", 2)
    keep(*range(5))
    assert walk(client, "/log?format=json&contains=4") == [[], [], ["line 4"]]


def test_csv_has_a_header_and_a_line_for_each_record(client: Client, post, record: Record):
    post(json.dumps(record.to_json()), "application/json")
    post("=1+1")
    answer = client.get("/log?format=csv")
    assert answer["Content-Disposition"] == 'attachment; filename="log.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert list(rows[0]) == list(FIELDS)
    assert rows[0] == {name: str(value) for name, value in record.to_json().items()}
    assert rows[1]["line"] == "'=1+1"


def test_csv_and_ndjson_are_streamed_whole(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pages, "PAGE", 2)
    keep(*range(5))
    assert len(client.get("/log?format=csv").getvalue().splitlines()) == 6
    ids = [json.loads(line)["id"] for line in client.get("/log?format=ndjson").getvalue().splitlines()]
    assert ids == [str(UUID(int=number)) for number in range(5)]


@pytest.mark.parametrize("form", ["text", "json", "ndjson", "csv"])
def test_who_has_the_answer_gets_304(client: Client, form: str, django_assert_num_queries):
    keep(1, 2)
    first = client.get(f"/log?format={form}")
    tag = first["ETag"]
    with django_assert_num_queries(3):
        again = client.get(f"/log?format={form}", headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)
    assert "Content-Type" not in again
    assert client.get("/log", headers={"If-None-Match": "*"}).status_code == 304


def test_each_form_has_a_tag_of_its_own(client: Client):
    tags = {client.get("/log", headers={"Accept": kind})["ETag"] for kind in ("*/*", "application/json", "text/csv")}
    assert len(tags) == 3


def test_the_tag_is_another_one_when_records_have_come_or_gone(client: Client):
    def tag() -> str:
        return str(client.get("/log")["ETag"])

    tags = [tag()]
    for change in (
        lambda: keep(5, 6),
        lambda: late(client, "one that was late", 5),
        lambda: LogRecord.objects.filter(line="line 0").delete(),  # the first of all, as `prune` does
        lambda: LogRecord.objects.all().delete(),
        lambda: keep(5, 6),
    ):
        change()
        tags.append(tag())
    assert tags[4] == tags[0]  # empty again
    assert len(set(tags)) == 5


def test_a_part_that_moves_with_the_clock_has_no_tag(client: Client):
    answer = client.get("/log?since=15m")
    assert "ETag" not in answer
    assert client.get("/log?since=15m", headers={"If-None-Match": "*"}).status_code == 200


@pytest.mark.parametrize("form", ["text", "json", "ndjson"])
def test_compressed_for_who_likes_that(client: Client, form: str):
    keep(*range(20))
    plain = client.get(f"/log?format={form}").getvalue() if form != "json" else client.get("/log?format=json").content
    answer = client.get(f"/log?format={form}", headers={"Accept-Encoding": "gzip"})
    assert answer["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.getvalue() if answer.streaming else answer.content) == plain
    assert answer["ETag"] == client.get(f"/log?format={form}")["ETag"]


def test_what_the_answer_depends_on_is_said(client: Client):
    assert set(client.get("/log")["Vary"].split(", ")) == {"Accept", "Accept-Encoding"}
    assert client.get("/log")["Cache-Control"] == "no-cache"


def test_head_says_what_get_would(client: Client):
    keep(1)
    for query in ("", "?format=json", "?format=csv"):
        head, get = client.head(f"/log{query}"), client.get(f"/log{query}")
        assert (head.status_code, head.getvalue()) == (200, b"")
        assert [head[name] for name in ("Content-Type", "ETag", "Vary")] == [
            get[name] for name in ("Content-Type", "ETag", "Vary")
        ]
