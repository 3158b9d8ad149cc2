"""What is counted, and the numbers of the workers that count."""

from pathlib import Path

import pytest

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
