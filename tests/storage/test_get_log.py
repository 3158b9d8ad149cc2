"""`GET /log`."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client

from logs import pages
from logs.models import LogRecord
from tests.storage.conftest import MOMENT

pytestmark = [pytest.mark.django_db, pytest.mark.urls("storage.urls")]


def keep(*times: int) -> None:
    """A row for each of the times, in seconds; its line tells the order of arrival."""
    first = LogRecord.objects.count()
    LogRecord.objects.bulk_create(
        LogRecord(
            record_id=UUID(int=first + number),
            timestamp=MOMENT + timedelta(seconds=time),
            received_at=MOMENT,
            line=f"line {first + number}",
        )
        for number, time in enumerate(times)
    )


def log(client: Client) -> str:
    return client.get("/log").getvalue().decode()


def test_an_empty_log_is_an_empty_body(client: Client):
    response = client.get("/log")
    assert response.status_code == 200
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response.getvalue() == b""


def test_each_line_is_ended_by_a_newline(client: Client):
    keep(1, 2)
    assert log(client) == "line 0\nline 1\n"


def test_the_order_is_by_time_and_then_by_arrival(client: Client):
    keep(5, 1, 3, 1, 5)
    assert log(client).split("\n")[:-1] == ["line 1", "line 3", "line 2", "line 0", "line 4"]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 9])
def test_pages_neither_lose_nor_repeat_a_line(client: Client, monkeypatch: pytest.MonkeyPatch, count: int):
    monkeypatch.setattr(pages, "PAGE", 3)
    keep(*[7] * count)  # all of one time: the key must go by the row, too
    assert log(client) == "".join(f"line {number}\n" for number in range(count))


def test_what_arrives_while_the_log_is_read_waits_for_the_next_reader(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pages, "PAGE", 2)
    keep(1, 2, 3)
    reading = pages.stream(pages.as_text)
    assert next(reading) == b"line 0\nline 1\n"
    keep(4, 0)
    assert b"".join(reading) == b"line 2\n"


def test_what_is_deleted_while_the_log_is_read_does_no_harm(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pages, "PAGE", 2)
    keep(1, 2, 3, 4)
    reading = pages.stream(pages.as_text)
    next(reading)
    LogRecord.objects.all().delete()
    assert b"".join(reading) == b""


def test_a_page_is_searched_in_the_index_not_sorted(django_assert_num_queries, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pages, "PAGE", 2)
    keep(1, 2, 3)
    with django_assert_num_queries(3) as queries:
        list(pages.stream(pages.as_text))
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {queries[-1]['sql']}")
        plan = " ".join(row[3] for row in cursor.fetchall())
    assert "SEARCH" in plan
    assert "log_order" in plan
    assert "TEMP B-TREE" not in plan


def test_head_reads_nothing(client: Client, django_assert_num_queries):
    keep(1)
    with django_assert_num_queries(0):
        response = client.head("/log")
    assert response.status_code == 200
    assert response.getvalue() == b""
