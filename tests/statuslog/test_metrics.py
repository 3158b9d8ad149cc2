"""What is counted, and the numbers of the workers that count."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.parser import text_string_to_metric_families

from statuslog import filelock, metrics
from statuslog.recorder import NotKept, Recorder
from statuslog.streams import Streams
from tests.in_memory import OutboxInMemory, StorageInMemory
from tests.rise import Rise, rise

__all__ = ["rise"]  # a fixture


def test_a_worker_has_the_lowest_number_that_is_free(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(metrics, "number", 0)
    assert [metrics.take_number(taken) for taken in ([], [1], [1, 2], [2], [2, 1, 4])] == [1, 2, 3, 1, 3]
    assert metrics.number == 3


def test_a_record_is_counted_by_what_became_of_it(own: Recorder, storage: StorageInMemory, file: Path, rise: Rise):
    own.keep()
    own.keep()
    assert rise("statuslog_records_total", storage="stored", vstorage="written") == 2
    storage.fail()
    own.keep()
    assert rise("statuslog_records_total", storage="queued", vstorage="written") == 1
    file.unlink()
    own.keep()
    assert rise("statuslog_records_total", storage="queued", vstorage="failed") == 1
    assert rise("statuslog_records_total", storage="stored", vstorage="failed") == 0
    assert rise("statuslog_records_not_kept_total") == 0


def test_a_record_that_nothing_keeps_is_counted_as_such(
    own: Recorder, storage: StorageInMemory, outbox: OutboxInMemory, rise: Rise
):
    storage.fail()
    outbox.most = 0
    with pytest.raises(NotKept):
        own.keep()
    assert rise("statuslog_records_not_kept_total") == 1
    assert rise("statuslog_records_total", storage="queued", vstorage="written") == 0


def test_a_batch_and_its_wait_for_the_lock_are_measured(own: Recorder, rise: Rise):
    own.keep()
    assert rise("statuslog_batch_size_count") == 1
    assert rise("statuslog_batch_size_bucket", le="1.0") == 1
    assert rise("statuslog_vstorage_lock_wait_seconds_count") == 1
    assert rise("statuslog_vstorage_lock_wait_seconds_bucket", le="0.8") == 1


def test_a_lock_that_does_not_come_is_measured_too(own: Recorder, rise: Rise, monkeypatch: pytest.MonkeyPatch):
    def in_vain(descriptor: int, timeout: float) -> None:
        raise TimeoutError

    monkeypatch.setattr(filelock, "lock", in_vain)
    with pytest.raises(NotKept):
        own.keep()
    assert rise("statuslog_vstorage_lock_wait_seconds_count") == 1


def test_followers_come_and_go():
    followers, streams = "statuslog_followers", Streams(5)
    first, second = streams.add(lambda: None, None), streams.add(lambda: None, None)
    assert metrics.REGISTRY.get_sample_value(followers) == 2
    streams.remove(first)
    streams.remove(first)
    assert metrics.REGISTRY.get_sample_value(followers) == 1
    streams.remove(second)
    assert metrics.REGISTRY.get_sample_value(followers) == 0


@pytest.fixture
def two_workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of two workers that have counted: each metric's kind, and what a label can hold."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setattr(metrics, "FOLDER", str(tmp_path))
    monkeypatch.setattr(metrics, "number", 0)
    monkeypatch.setattr(values, "ValueClass", values.MultiProcessValue(lambda: metrics.number))
    registry = CollectorRegistry()
    counter = Counter("counted", 'Help with "quotes", \\ and\nlines', ["path", "code"], registry=registry)
    histogram = Histogram("taken", "Seconds", ["path"], buckets=(0.1, 1, 10), registry=registry)
    plain = Histogram("plain", "No labels", buckets=(1,), registry=registry)
    gauge = Gauge("open", "Now", multiprocess_mode="livesum", registry=registry)
    for metrics.number in (1, 2):
        counter.labels("/a", "200").inc(metrics.number)
        counter.labels('"\\\n}', "4 04").inc(0.5)
        for seconds in (0.05, 0.1, 5, 50, 2**60):
            histogram.labels("/a").observe(seconds)
        histogram.labels(f"/only/{metrics.number}").observe(3)
        plain.observe(metrics.number)
        gauge.set(metrics.number * 10)
    return tmp_path


def samples(text: str) -> dict[tuple[str, str, str, str], float]:
    families = list(text_string_to_metric_families(text))
    found = [(family.type, family.documentation, s) for family in families for s in family.samples]
    told = {(kind, text, s.name, str(sorted(s.labels.items()))): s.value for kind, text, s in found}
    assert len(told) == len(found) == len([line for line in text.splitlines() if not line.startswith("#")])
    return told


def test_the_text_is_what_the_library_would_write(two_workers: Path):
    library = CollectorRegistry()
    MultiProcessCollector(library)
    expected = samples(generate_latest(library).decode())
    assert samples(metrics.text()) == expected
    assert len(expected) == 25


def test_the_text_without_the_files_of_a_worker_that_has_ended(two_workers: Path):
    before = metrics.text()
    metrics.has_ended(1)
    assert "open 30.0" in before
    assert "open 20.0" in metrics.text()
    assert 'counted_total{code="200",path="/a"} 3.0' in metrics.text()
    metrics.remove()
    assert metrics.text() == ""
