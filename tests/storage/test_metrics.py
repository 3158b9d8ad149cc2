"""`GET /metrics` of storage: what was posted, and the log in figures."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from logs import figures, writer
from logs.models import LogRecord
from statuslog.batching import NotDone
from tests.rise import Rise, rise

__all__ = ["rise"]  # a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.urls("storage.urls")]


@pytest.fixture
def metric(client: Client) -> Callable[..., float | None]:
    """The value of a metric in the service's answer."""

    def metric(name: str, **labels: str) -> float | None:
        families = text_string_to_metric_families(client.get("/metrics").text)
        found = [s.value for family in families for s in family.samples if s.name == name and s.labels == labels]
        return found[0] if found else None

    return metric


def test_what_is_new_known_or_refused_is_counted(post, rise: Rise):
    key = uuid4()
    post("a\nb", key=key)
    post("a\nb", key=key)
    assert post("c", key=key).status_code == 409
    assert rise("statuslog_posted_records_total", outcome="stored") == 2
    assert rise("statuslog_posted_records_total", outcome="known") == 2
    assert rise("statuslog_posted_records_total", outcome="refused") == 1


def test_what_had_to_wait_too_long_was_refused(post, rise: Rise, monkeypatch: pytest.MonkeyPatch):
    def busy(post: writer.Post) -> int:
        raise NotDone("its turn did not come")

    monkeypatch.setattr(writer, "_batcher", busy)
    assert post("a\nb\nc").status_code == 503
    assert rise("statuslog_posted_records_total", outcome="refused") == 3
    assert rise("statuslog_posted_records_total", outcome="stored") == 0


def test_an_empty_log(metric):
    assert metric("statuslog_log_rows") == 0
    assert metric("statuslog_log_newest_timestamp_seconds") is None


def test_the_log_s_size_and_its_last_record(post, metric):
    before = datetime.now(UTC).timestamp()
    post("a\nb\nc")
    assert metric("statuslog_log_rows") == 3
    assert before <= metric("statuslog_log_newest_timestamp_seconds") <= datetime.now(UTC).timestamp()
    LogRecord.objects.filter(line="b").delete()
    assert metric("statuslog_log_rows") == 2


def test_the_estimate_of_a_large_log_knows_of_gaps(post, metric, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(figures, "COUNTED", 20)
    monkeypatch.setattr(figures, "SAMPLE", 50)
    post("\n".join(map(str, range(500))))
    assert metric("statuslog_log_rows") == 500
    LogRecord.objects.filter(line__gte="1", line__lt="4").delete()  # two thirds, here and there
    left = LogRecord.objects.count()
    assert left < 200
    assert abs(metric("statuslog_log_rows") - left) < 0.3 * left
    LogRecord.objects.exclude(line__in=["0", "499"]).delete()
    assert metric("statuslog_log_rows") == 2


def test_figures_cost_the_same_at_any_size(
    post, client: Client, django_assert_max_num_queries, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(figures, "COUNTED", 2)
    post("a\nb\nc")
    with django_assert_max_num_queries(6) as asked:
        client.get("/metrics")
    for query in asked.captured_queries:
        assert "COUNT" not in query["sql"] or "LIMIT 3" in query["sql"] or " IN (" in query["sql"]


@pytest.mark.sqlite
def test_the_database_s_files(post, metric):
    post("a")
    assert metric("statuslog_database_bytes", part="main") > 0
    assert metric("statuslog_database_bytes", part="wal") >= 0


@pytest.mark.postgres
def test_the_database_on_its_server(metric):
    assert metric("statuslog_database_bytes", part="main") > 1_000_000
