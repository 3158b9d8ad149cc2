"""The admin's export: what was chosen, as a file, streamed."""

import csv
import io
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from logs import export
from logs.models import LogRecord
from tests.storage.conftest import MOMENT

pytestmark = pytest.mark.django_db

LIST = "/admin/logs/logrecord/"


def keep(number: int, **values: object) -> LogRecord:
    given = {"service": f"service{number % 2 + 1}", "line": f"line {number}"} | values
    moment = MOMENT + timedelta(hours=number // 4)
    return LogRecord.objects.create(record_id=UUID(int=number), timestamp=moment, received_at=MOMENT, **given)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PAGE", 3)
    monkeypatch.setattr(export, "LOOKED_THROUGH", 7)


def exported(client: Client, form: str, *rows: LogRecord, every: bool = False, query: str = "") -> str:
    """What somebody gets who ticks these rows, or asks for all that match."""
    chosen = {"action": f"export_{form}", "index": 0, "select_across": int(every)}
    answer: Any = client.post(LIST + query, {**chosen, "_selected_action": [row.row for row in rows]})
    assert answer.status_code == 200, answer.headers
    assert answer.headers["Content-Disposition"] == f'attachment; filename="records.{form}"'
    assert answer.streaming
    return b"".join(answer.streaming_content).decode()


def lines(client: Client, *rows: LogRecord, every: bool = False, query: str = "") -> list[int]:
    text = exported(client, "ndjson", *rows, every=every, query=query)
    return [int(json.loads(line)["line"].split()[-1]) for line in text.splitlines()]


def test_the_chosen_records_in_the_order_of_the_log(admin: Client):
    rows = [keep(number) for number in range(5)]
    assert lines(admin, rows[3], rows[1]) == [1, 3]


def test_csv_has_a_head_and_no_formula(admin: Client):
    row = keep(0, line="=1+1", service="@x")
    text = exported(admin, "csv", row)
    [found] = csv.DictReader(io.StringIO(text))
    assert (found["line"], found["service"], found["id"]) == ("'=1+1", "'@x", str(row.record_id))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", range(30)),
        ("?service=service1", range(0, 30, 2)),
        ("?p=last&q=service2", range(1, 30, 2)),
        ("?q=line+2", [2, *range(20, 30)]),
        ("?q=line+2&service=service1", [2, *range(20, 30, 2)]),
        ("?q=nothing", []),
        ("?q=2025-09-26T17", range(4, 8)),
        ("?timestamp__gte=2025-09-26+18:00:00%2B00:00&q=line", range(8, 30)),
    ],
)
def test_all_that_match(admin: Client, query: str, expected: list[int]):
    rows = [keep(number) for number in range(30)]
    assert lines(admin, rows[0], every=True, query=query) == [*expected]


def test_a_large_export_is_read_page_by_page(admin: Client):
    rows = [keep(number) for number in range(9)]
    with CaptureQueriesContext(connection) as queries:
        lines(admin, rows[0], every=True)
    pages = [query["sql"] for query in queries if query["sql"].endswith("LIMIT 3")]
    assert len(pages) == 4


def test_a_text_is_looked_for_in_a_bounded_part_a_query(admin: Client):
    rows = [keep(number) for number in range(30)]
    with CaptureQueriesContext(connection) as queries:
        assert lines(admin, rows[0], every=True, query="?q=nothing") == []
    looked = [query["sql"] for query in queries if "nothing" in query["sql"] and query["sql"].endswith("LIMIT 3")]
    assert len(looked) == 5
    assert all("<=" in sql.partition("WHERE")[2].replace('"row" <=', "") for sql in looked[:-1])


def test_what_comes_meanwhile_is_not_waited_for(admin: Client):
    row = keep(0)
    answer: Any = admin.post(
        LIST, {"action": "export_ndjson", "index": 0, "select_across": 1, "_selected_action": row.row}
    )
    number = 1
    for chunk in answer.streaming_content:
        for _ in range(chunk.count(b"\n") * 3):
            keep(number)
            number += 1
    assert number == 4


def test_nothing_chosen_is_said(admin: Client):
    keep(0)
    answer = admin.post(LIST, {"action": "export_csv", "index": 0, "select_across": 0}, follow=True)
    assert "Items must be selected" in answer.text
