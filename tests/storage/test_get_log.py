"""`GET /log`."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from django.test import Client

from logs import pages
from logs.forms import TEXT_FORM
from logs.models import LogRecord
from logs.query import Query
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


def reading() -> Iterator[bytes]:
    """The text of the log, page by page."""
    parts = pages.stream(Query(), TEXT_FORM, pages.state().newest)
    assert next(parts) == b""  # for the answer to begin with
    return parts


def test_what_arrives_while_the_log_is_read_waits_for_the_next_reader(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pages, "PAGE", 2)
    keep(1, 2, 3)
    parts = reading()
    assert next(parts) == b"line 0\nline 1\n"
    keep(4, 0)
    assert b"".join(parts) == b"line 2\n"


def test_what_is_deleted_while_the_log_is_read_does_no_harm(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pages, "PAGE", 2)
    keep(1, 2, 3, 4)
    parts = reading()
    next(parts)
    LogRecord.objects.all().delete()
    assert b"".join(parts) == b""


def test_head_reads_no_page(client: Client, django_assert_num_queries):
    keep(1)
    with django_assert_num_queries(3):  # the edition and the two ends of the log, for the ETag
        response = client.head("/log")
    assert response.status_code == 200
    assert response.getvalue() == b""
