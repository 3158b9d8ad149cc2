"""What the admin asks of the database: by index, and as little of a large log as of a small one.

Two proofs for each page. SQLite's plan of each query names the index and sorts nothing. And the steps that SQLite's
machine takes for all queries of the page are counted: they must not grow with the log, which a plan alone does not
show (an index can be read from end to end).
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from logs import changelist, export, summary
from logs.admin import LogRecordAdmin
from logs.models import LogRecord
from logs.query import Place
from tests.storage.conftest import MOMENT

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]

LIST = "/admin/logs/logrecord/"
FEW, MANY = 1_000, 10_000
MIDDLE = Place(MOMENT + timedelta(hours=5), FEW // 2, 0)

PAGES = {
    "the first": "",
    "the last": "?p=last",
    "after a record": f"?p=after:{MIDDLE}",
    "before a record": f"?p=before:{MIDDLE}",
    "in the order of time": "?o=1",
    "a service": "?service=service1",
    "a service's last": "?service=service1&p=last",
    "a service's middle": f"?service=service1&p=after:{MIDDLE}",
    "a day": "?timestamp__year=2025&timestamp__month=9&timestamp__day=26",
    "a day's last": "?timestamp__year=2025&timestamp__month=9&timestamp__day=26&p=last",
    "a day's middle": f"?timestamp__year=2025&timestamp__month=9&timestamp__day=26&o=1&p=after:{MIDDLE}",
    "a month of a service": "?timestamp__year=2025&timestamp__month=9&service=service2",
    "since a time": "?timestamp__gte=2025-09-26+17:00:00%2B00:00",
    "an instance": "?instance=host-a",
    "an instance by search": "?q=host-a",
    "an id": f"?q={UUID(int=7)}",
    "a service by search": "?q=service2",
    "an hour by search": "?q=2025-09-26T18",
    "a text": "?q=needle",
    "a text in a service": f"?q=needle&service=service1&p=after:{MIDDLE}",
    "a text from the end": "?q=needle&p=last",
    "a record": f"{FEW // 2}/change/",
    "the summary": "/admin/",
}


def at(path: str) -> str:
    return path if path.startswith("/") else LIST + path


@pytest.fixture(autouse=True)
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that both logs are larger than what is counted and looked through."""
    monkeypatch.setattr(LogRecordAdmin, "list_per_page", 10)
    monkeypatch.setattr(changelist, "COUNTED", 100)
    monkeypatch.setattr(summary, "COUNTED", 100)
    monkeypatch.setattr(changelist, "LOOKED_THROUGH", 100)
    monkeypatch.setattr(export, "LOOKED_THROUGH", 100)


def fill(count: int) -> None:
    """A log of so many records, all of the same twelve hours that end now in the summary's eyes."""
    LogRecord.objects.all().delete()
    begin = "2025-09-26 12:00:00"
    columns = "row, record_id, service, instance, timestamp, disk_free_bytes, line, received_at"
    values = (
        "n + 1, printf('%%032x', n), 'service' || (n %% 2 + 1), 'host-a', "
        "strftime('%%Y-%%m-%%d %%H:%%M:%%f', %s, '+' || (n * 43200.0 / %s) || ' seconds'), 1000 + n, 'line', %s"
    )
    numbers = "WITH RECURSIVE count(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM count WHERE n + 1 < %s)"
    with connection.cursor() as cursor:
        sql = f"INSERT INTO logs_logrecord ({columns}) {numbers} SELECT {values} FROM count"
        cursor.execute(sql, [count, begin, count, begin])


@pytest.fixture
def steps(admin: Client, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """How many steps SQLite takes for a page, in hundreds."""

    clock = SimpleNamespace(now=lambda tz: datetime(2025, 9, 27, tzinfo=tz))
    monkeypatch.setattr("logs.templatetags.summary.datetime", clock)

    def steps(path: str) -> int:
        taken = 0

        def step() -> int:
            nonlocal taken
            taken += 1
            return 0

        connection.connection.set_progress_handler(step, 100)
        try:
            assert admin.get(at(path)).status_code == 200
        finally:
            connection.connection.set_progress_handler(None, 0)
        return taken

    return steps


def test_no_page_takes_more_steps_in_a_larger_log(steps: Callable[[str], int]):
    fill(FEW)
    few = {name: steps(path) for name, path in PAGES.items()}
    fill(MANY)
    many = {name: steps(path) for name, path in PAGES.items()}
    assert {name: (few[name], many[name]) for name in PAGES if many[name] > 1.2 * few[name] + 5} == {}


def test_the_steps_of_a_query_that_reads_the_log_are_seen(steps: Callable[[str], int], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(changelist, "COUNTED", 10**9)
    fill(FEW)
    few = steps("")
    fill(MANY)
    assert steps("") > 5 * few


@pytest.mark.parametrize("name", PAGES)
def test_each_query_of_a_page_goes_by_an_index(admin: Client, name: str):
    LogRecord.objects.create(record_id=UUID(int=7), service="service2", timestamp=MOMENT, received_at=MOMENT, line="x")
    LogRecord.objects.create(row=FEW // 2, record_id=UUID(int=8), timestamp=MOMENT, received_at=MOMENT, line="x")
    with CaptureQueriesContext(connection) as queries:
        assert admin.get(at(PAGES[name])).status_code == 200
    asked = [query["sql"] for query in queries if "logs_logrecord" in query["sql"]]
    assert asked
    for sql in asked:
        assert by_index(sql), f"{sql}\n{plan(sql)}"


def plan(sql: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        return [row[3] for row in cursor.fetchall()]


def by_index(sql: str) -> bool:
    """Whether each step searches an index, or reads one in its order up to a LIMIT; and none sorts."""
    steps = [step for step in plan(sql) if "logs_logrecord" in step or "TEMP B-TREE" in step]
    return all(
        step.startswith("SEARCH logs_logrecord USING")
        or (step.startswith("SCAN logs_logrecord") and " LIMIT " in sql and ("USING" in step or ordered_by_row(sql)))
        for step in steps
    )


def ordered_by_row(sql: str) -> bool:
    """The table itself is the index of `row`."""
    return 'ORDER BY "logs_logrecord"."row"' in sql or " ORDER BY 1 " in sql


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COUNT(*) FROM logs_logrecord",
        "SELECT DISTINCT service FROM logs_logrecord",
        "SELECT MIN(row), MAX(row) FROM logs_logrecord",
        "SELECT * FROM logs_logrecord ORDER BY timestamp DESC, row ASC LIMIT 50",
        "SELECT * FROM logs_logrecord ORDER BY disk_free_bytes LIMIT 50",
        "SELECT * FROM logs_logrecord WHERE line LIKE '%x%' LIMIT 50",
    ],
)
def test_a_query_that_reads_the_log_is_told(db: None, sql: str):
    assert not by_index(sql)
