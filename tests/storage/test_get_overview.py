"""`GET /overview` of storage."""

import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext

from logs import overview, readiness, thinning
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


def kept(times: list[float], **values: Any) -> None:
    """Records of so many minutes ago; the free disk of each is ten times that."""
    for ago in times:
        keep(minutes(ago), disk_free_bytes=int(10 * ago), **values)


def drawn(query: str = "step=60&points=60", service: str = "service1") -> list[int | None]:
    return [point["disk_free_bytes"] for point in asked(query)[service]["series"]]


def test_of_each_step_the_lowest_the_highest_and_the_last():
    for ago, free in ((3.9, 8), (3.8, 9), (3.7, 4), (3.6, 1), (3.5, 5), (3.1, 5), (1.5, 2)):
        keep(minutes(ago), disk_free_bytes=free, host_uptime_seconds=7.5)
    keep(minutes(3.2), service="service2", disk_free_bytes=None)
    assert asked()["service1"]["series"] == [
        {
            "timestamp": f"2025-09-26T12:0{time}.000000Z",
            "host_uptime_seconds": 7.5,
            "container_uptime_seconds": None,
            "disk_free_bytes": free,
        }
        for time, free in (("1:12", 9), ("1:24", 1), ("1:54", 5), ("3:30", 2))
    ]
    assert drawn(service="service2") == [None]


def test_the_newest_measured_value_is_there_whatever_follows_it():
    for ago, free in ((5, 3), (4.9, 9), (4.8, 5), (4.7, None)):
        keep(minutes(ago), disk_free_bytes=free)
    assert drawn("step=3600&points=1") == [3, 9, 5, None]


def test_no_point_lies_before_or_after():
    kept([59.9, 60, 60.1, 0.1, 0, -0.1])
    times = [datetime.fromisoformat(point["timestamp"]) for point in asked("step=3600&points=1")["service1"]["series"]]
    assert times == [NOON - minutes(60), NOON - minutes(59.9), NOON - minutes(0.1)]


@pytest.mark.parametrize(
    "query", ["step=60&points=15", "step=300&points=3", "step=720&points=2", "step=21600&points=1"]
)
def test_the_extremes_are_those_of_all_records(query: str):
    chance = random.Random(query)
    frees = [chance.choice([None, chance.randrange(10**6)]) for _ in range(1500)]
    LogRecord.objects.bulk_create(
        LogRecord(
            record_id=UUID(int=n),
            service="service1",
            timestamp=NOON - minutes(20) + n * timedelta(seconds=1),
            received_at=NOON,
            line="x",
            disk_free_bytes=free,
        )
        for n, free in enumerate(frees)
    )
    step, points = (int(part.partition("=")[2]) for part in query.split("&"))
    begin = max(0, 1200 - step * points)
    by_hand = [free for free in frees[begin:1200] if free is not None]
    found = [value for value in drawn(query) if value is not None]
    assert (min(found), max(found), found[-1]) == (min(by_hand), max(by_hand), by_hand[-1])
    assert len(found) <= 3 * (points + 1)


def test_one_low_record_of_nine_days_ago_is_in_the_month():
    LogRecord.objects.bulk_create(
        LogRecord(
            record_id=UUID(int=n),
            service="service1",
            timestamp=NOON - timedelta(minutes=10 * n),
            received_at=NOON,
            line="x",
            disk_free_bytes=(100 if n == 9 * 144 else 36_000) * 2**20,
        )
        for n in range(1, 30 * 144)
    )
    month = drawn("step=21600&points=120")
    assert month.count(100 * 2**20) == 1
    assert len(month) <= 123


def test_steps_of_less_than_ten_minutes_are_looked_through_up_to_a_bound(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(thinning, "SCANNED", 2)
    kept([9.4, 9.3, 9.2, 9.1, 4.5])
    assert drawn("step=60&points=10") == [94, 91, 45]  # 93 is not seen; the extremes of ten minutes are, at any density


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
def steps() -> Callable[[str], int]:
    """How many steps SQLite takes for an answer, in hundreds."""

    def steps(query: str) -> int:
        taken: list[None] = []
        connection.connection.set_progress_handler(lambda: taken.append(None), 100)
        try:
            assert len(asked(query)["service1"]["series"]) > 9
        finally:
            connection.connection.set_progress_handler(None, 0)
        return len(taken)

    return steps


@pytest.mark.sqlite
@pytest.mark.parametrize("query", ["step=600&points=10", "step=60&points=100"])
def test_a_larger_log_costs_no_more(steps: Callable[[str], int], query: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(thinning, "SCANNED", 2)

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
                disk_free_bytes=n,
            )
            for n in range(count)
        )

    fill(200)
    few = steps(query)
    fill(4000)
    assert steps(query) <= 1.2 * few + 5


@pytest.mark.sqlite
def test_a_series_is_searched_for_in_indexes():
    keep(minutes(1))
    with CaptureQueriesContext(connection) as queries:
        asked("step=600&points=10")
    plans = {}
    with connection.cursor() as cursor:
        for sql in (query["sql"] for query in queries if "disk_free_bytes" in query["sql"] or "WITH" in query["sql"]):
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            plans[sql] = " ".join(row[3] for row in cursor.fetchall())
    assert [plan for plan in plans.values() if "TEMP B-TREE" in plan or "SCAN logs_logrecord" in plan] == []
    [parts] = [plan for sql, plan in plans.items() if "RECURSIVE" in sql]
    assert "SEARCH logs_logrecord USING INDEX log_disk (service=? AND <expr>=? AND disk_free_bytes>?)" in parts
    plans_of_parts = (
        r"SEARCH logs_logrecord USING (COVERING )?INDEX log_disk \(service=\? AND <expr>>\? AND <expr><\?\)"
    )
    assert re.search(plans_of_parts, parts)
    [last] = [plan for sql, plan in plans.items() if "WITH step" in sql]
    assert "SEARCH logs_logrecord USING COVERING INDEX log_service (service=? AND timestamp>? AND timestamp<?)" in last
