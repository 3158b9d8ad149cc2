"""`GET /metrics`, with states of the test's own."""

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from statuslog import VERSION, exposition
from statuslog.delivery import Delivery
from statuslog.recorder import Recorder
from tests.in_memory import OutboxInMemory, StorageInMemory
from tests.processes import ROOT


def ask(*states: exposition.State, method: str = "GET") -> HttpResponse:
    request = RequestFactory().generic(method, "/metrics", headers={"Accept": "application/json"})
    answer: HttpResponse = exposition.urls(*states)[0].callback(request)
    return answer


def values(*states: exposition.State) -> dict[str, float]:
    """Each sample as it is written, and its value."""
    families = text_string_to_metric_families(ask(*states).content.decode())
    return {
        sample.name + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def broken() -> Iterator[Metric]:
    yield GaugeMetricFamily("seen", "before it breaks", 1)
    raise OSError("the disk is gone")


def whole() -> Iterator[Metric]:
    yield GaugeMetricFamily("whole", "after the broken one", 2)


def test_it_is_prometheus_text_whatever_is_asked_for():
    answer = ask()
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")


def test_what_was_counted_and_what_is_so_now_are_in_it():
    found = values(whole)
    assert found["whole"] == 2
    assert found["statuslog_host_uptime_seconds"] > 0
    assert 0 < found["statuslog_disk_free_bytes disk=data"] < found["statuslog_disk_total_bytes disk=data"]
    assert any(f"version={VERSION}" in name for name in found if name.startswith("statuslog_build_info"))
    assert "statuslog_batch_size_count" in found


def test_a_disk_that_does_not_say_what_is_free_is_left_out(settings: Settings):
    settings.DATA_DIR = Path("/proc")
    found = values()
    assert "statuslog_disk_free_bytes disk=root" in found
    assert not any("disk=data" in name for name in found)


def test_a_state_that_fails_takes_nothing_else_with_it(caplog: pytest.LogCaptureFixture):
    found = values(broken, whole)
    assert (found["seen"], found["whole"]) == (1, 2)
    assert "the disk is gone" in caplog.text


def test_it_can_only_be_read():
    assert ask(method="POST").status_code == 405
    assert ask(method="HEAD").status_code == 200


@pytest.fixture
def delivery(own: Recorder, outbox: OutboxInMemory, tmp_path: Path) -> Delivery:
    return Delivery(own, outbox, tmp_path / "lock")


def test_an_empty_outbox_and_vstorage_that_is_well(own: Recorder, delivery: Delivery, file: Path):
    own.keep()
    found = values(delivery.outbox_state, delivery.vstorage_state)
    assert (found["statuslog_outbox_records state=waiting"], found["statuslog_outbox_oldest_seconds"]) == (0, 0)
    assert found["statuslog_vstorage_ready"] == 1
    assert found["statuslog_vstorage_bytes"] == file.stat().st_size > 0


def test_a_filled_outbox(own: Recorder, delivery: Delivery, storage: StorageInMemory):
    storage.fail()
    own.now = lambda: datetime.now(UTC) - timedelta(hours=1)
    own.keep()
    own.keep()
    found = values(delivery.outbox_state)
    assert found["statuslog_outbox_records state=waiting"] == 2
    assert 3600 <= found["statuslog_outbox_oldest_seconds"] < 3700


def test_vstorage_that_is_away(delivery: Delivery, file: Path):
    file.unlink()
    found = values(delivery.vstorage_state)
    assert found["statuslog_vstorage_ready"] == 0
    assert "statuslog_vstorage_bytes" not in found


def test_the_version_is_the_project_s():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION
