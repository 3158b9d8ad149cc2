"""`GET /overview` of storage."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext

from logs import overview, readiness
from logs.models import Edition, LogRecord
from statuslog.record import Record
from tests.storage.conftest import MOMENT

pytestmark = [pytest.mark.django_db, pytest.mark.urls("storage.urls")]

NOON = datetime(2025, 9, 26, 12, 5, tzinfo=UTC)


def keep(ago: timedelta, service: str = "service1", **values: Any) -> LogRecord:
    given = {"disk_free_bytes": 5, "line": "a line"} | values
    return LogRecord.objects.create(
        record_id=uuid4(), service=service, timestamp=NOON - ago, received_at=MOMENT, **given
    )


def asked(query: str = "step=60&points=60") -> dict[str, Any]:
    return {one["service"]: one for one in overview.overview(QueryDict(query), NOON)}


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def test_an_empty_log(client: Client):
    answer = client.get("/overview").json()
    assert answer["services"] == []
    assert (answer["readiness"]["ready"], answer["readiness"]["reasons"]) == (True, [])
    assert answer["readiness"]["measured"]["disk_total_bytes"] > 0


def test_the_latest_record_of_each_service(client: Client):
    keep(minutes(500))
    latest = keep(minutes(400))
    keep(minutes(300), service="service2")
    assert list(asked()) == ["service1", "service2"]
    record = Record.from_json(asked()["service1"]["latest"])
    assert (record.id, record.timestamp) == (latest.record_id, latest.timestamp)
    assert asked()["service1"]["series"] == []  # none of the last hour
    assert len(client.get("/overview").json()["services"]) == 2


def test_of_each_step_the_last_record():
    for ago in (3.9, 3.5, 3.1, 1.5):
        keep(minutes(ago), disk_free_bytes=int(10 * ago), host_uptime_seconds=7.5)
    keep(minutes(3.2), service="service2", disk_free_bytes=None)
    assert asked()["service1"]["series"] == [
        {
            "timestamp": f"2025-09-26T12:0{time}.000000Z",
            "host_uptime_seconds": 7.5,
            "container_uptime_seconds": None,
            "disk_free_bytes": free,
        }
        for time, free in (("1:54", 31), ("3:30", 15))
    ]
    assert [point["disk_free_bytes"] for point in asked()["service2"]["series"]] == [None]


def test_no_more_points_than_asked_for_and_none_before_or_after():
    LogRecord.objects.bulk_create(
        LogRecord(record_id=uuid4(), service="s", timestamp=NOON - minutes(n / 2), received_at=NOON, line="x")
        for n in range(-20, 200)
    )
    times = [datetime.fromisoformat(point["timestamp"]) for point in asked("step=60&points=10")["s"]["series"]]
    assert times == [NOON - minutes(n - 0.5) for n in range(9, -1, -1)]  # the step that is under way is the last


def test_what_a_prune_is_deleting_has_gone():
    for ago in (1, 30):
        keep(minutes(ago))
    keep(minutes(40), service="old")
    Edition.begin(pruned_before=NOON - minutes(20))
    assert list(asked()) == ["service1"]
    assert len(asked()["service1"]["series"]) == 1


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("step=0", "step: must be a whole number of seconds, 1 to 2,678,400"),
        ("points=501", "points: must be a whole number, 1 to 500"),
        ("points=-1", "points: must be a whole number, 1 to 500"),
        ("setp=1", "unknown parameter 'setp'; known are step, points"),
    ],
)
def test_what_is_wrong_is_named(client: Client, query: str, why: str):
    answer = client.get(f"/overview?{query}")
    assert (answer.status_code, answer.json()["detail"]) == (400, why)


def test_without_its_database_it_says_so(client: Client, monkeypatch: pytest.MonkeyPatch):
    keep(minutes(1))
    monkeypatch.setattr(readiness, "database", lambda: ["database_unreachable"])
    answer = client.get("/overview").json()
    assert (answer["services"], answer["readiness"]["reasons"]) == ([], ["database_unreachable"])


@pytest.fixture
def steps() -> Callable[[], int]:
    """How many steps SQLite takes for an answer, in hundreds."""

    def steps() -> int:
        taken: list[None] = []
        connection.connection.set_progress_handler(lambda: taken.append(None), 100)
        try:
            assert len(asked("step=60&points=100")["service1"]["series"]) == 99  # none yet of the step under way
        finally:
            connection.connection.set_progress_handler(None, 0)
        return len(taken)

    return steps


@pytest.mark.sqlite
def test_a_larger_log_costs_no_more(steps: Callable[[], int]):
    def fill(count: int) -> None:
        LogRecord.objects.all().delete()
        begin = NOON - minutes(100)
        LogRecord.objects.bulk_create(
            LogRecord(
                record_id=UUID(int=n),
                service="service1",
                timestamp=begin + (NOON - begin) * n / count,
                received_at=NOON,
                line="x",
            )
            for n in range(count)
        )

    fill(200)
    few = steps()
    fill(4000)
    assert steps() <= 1.2 * few + 5


@pytest.mark.sqlite
def test_a_series_is_searched_for_in_an_index():
    keep(minutes(1))
    with CaptureQueriesContext(connection) as queries:
        asked()
    [sql] = [query["sql"] for query in queries if "WITH step" in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        plan = " ".join(row[3] for row in cursor.fetchall())
    assert "SEARCH logs_logrecord USING COVERING INDEX log_service (service=? AND timestamp>? AND timestamp<?)" in plan
    assert "TEMP B-TREE" not in plan
