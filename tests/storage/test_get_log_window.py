"""`GET /log` in part, and as whole records."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Literal

import pytest
from django.db import connection
from django.test import Client

from logs import pages
from logs.forms import LINE, TEXT_FORM
from logs.query import Query
from statuslog.record import Record
from tests.storage.conftest import MOMENT
from tests.storage.test_get_log import keep, log

pytestmark = [pytest.mark.django_db, pytest.mark.urls("storage.urls")]


def test_since_until_and_limit(client: Client):
    keep(1, 2, 3, 4)
    times = [json.loads(line)["timestamp"] for line in client.get("/log?format=ndjson").getvalue().splitlines()]
    assert client.get("/log", {"since": times[1]}).getvalue() == b"line 1\nline 2\nline 3\n"
    assert client.get("/log", {"until": times[1]}).getvalue() == b"line 0\n"
    assert client.get("/log", {"since": times[1], "until": times[3]}).getvalue() == b"line 1\nline 2\n"
    assert client.get("/log", {"limit": "2"}).getvalue() == b"line 0\nline 1\n"
    assert client.get("/log", {"limit": "0"}).getvalue() == b""


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6, 7])
def test_a_limit_goes_across_pages(client: Client, monkeypatch: pytest.MonkeyPatch, limit: int):
    monkeypatch.setattr(pages, "PAGE", 3)
    keep(*range(6))
    assert len(client.get("/log", {"limit": limit}).getvalue().splitlines()) == min(limit, 6)


def test_ndjson_is_the_whole_record(client: Client, post, record: Record):
    post(json.dumps(record.to_json()), "application/json")
    answer = client.get("/log?format=ndjson")
    assert answer["Content-Type"] == "application/x-ndjson"
    (line,) = answer.getvalue().splitlines()
    assert Record.from_json(json.loads(line)) == record


def test_the_text_has_the_lines_of_the_same_records(client: Client):
    keep(3, 1, 2)
    records = client.get("/log?format=ndjson").getvalue().splitlines()
    assert log(client).splitlines() == [json.loads(line)["line"] for line in records]


@contextmanager
def counted() -> Iterator[list[int]]:
    """What SQLite's machine does in the block, in tens of steps."""
    taken = [0]

    def step() -> int:
        taken[0] += 1
        return 0

    connection.connection.set_progress_handler(step, 10)
    try:
        yield taken
    finally:
        connection.connection.set_progress_handler(None, 0)


@pytest.mark.sqlite
def test_the_text_of_all_takes_few_steps_a_line():
    """11 are needed; through a sorted subquery it is 15."""
    keep(*range(400))
    with counted() as taken:
        lines = b"".join(pages.stream(Query(), TEXT_FORM, 10**9)).splitlines()
    assert len(lines) == 400
    assert taken[0] * 10 < 400 * 13


@pytest.mark.sqlite
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_part_is_read_in_no_more_steps_than_the_whole(monkeypatch: pytest.MonkeyPatch, order: Literal["asc", "desc"]):
    monkeypatch.setattr(pages, "PAGE", 20)
    keep(*range(400))
    part = Query(order=order, since=MOMENT, until=MOMENT + timedelta(days=1))  # all are in it

    def steps(query: Query) -> int:
        with counted() as taken:
            assert sum(len(rows) for rows, _ in pages.read(query, LINE, 10**9, None, None)) == 400
        return taken[0]

    assert steps(part) < 1.3 * steps(Query(order=order))
