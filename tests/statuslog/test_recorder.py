"""The path of a record into both stores."""

import fcntl
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from statuslog import probe, tracing
from statuslog.record import Measurement
from statuslog.recorder import Kept, NotKept, Recorder
from statuslog.storage_client import StorageError
from statuslog.verdict import Verdict
from statuslog.vstorage import STATE
from tests.in_memory import OutboxInMemory, StorageInMemory, recorder_on


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as pool:
        yield pool


def outcomes(futures: list[Future[Kept]]) -> list[Kept | BaseException]:
    return [future.exception(10) or future.result() for future in futures]


# one record


def test_a_record_is_kept_in_both_stores(own: Recorder, storage: StorageInMemory, file: Path):
    kept = own.keep()
    assert storage.stored == [kept.record]
    assert file.read_text() == f"{kept.record.line}\n"
    assert kept.delivery == "storage=stored, vstorage=written"


def test_a_record_says_who_made_it_and_what_was_measured(own: Recorder):
    record = own.keep().record
    assert record.service == "service1"
    assert record.instance == own.instance != ""
    assert record.host_uptime_seconds and record.disk_free_bytes


def test_no_record_is_made_of_what_cannot_be_measured(
    own: Recorder, storage: StorageInMemory, file: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(probe, "measure", Measurement)
    with pytest.raises(NotKept, match="uptime cannot be measured"):
        own.keep()
    assert storage.batches == []
    assert file.read_bytes() == b""


def test_while_another_holds_the_lock_nothing_is_stored(own: Recorder, storage: StorageInMemory, file: Path):
    with file.open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(NotKept, match="another process held its lock"):
            own.keep()
    assert storage.batches == []
    own.keep()


def test_the_lock_is_held_while_the_record_is_stored(own: Recorder, storage: StorageInMemory, file: Path):
    def locked() -> None:
        with file.open("a") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)

    storage.before = locked
    own.keep()
    with file.open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


# many at once


def test_many_at_once_are_all_kept_in_one_order(own: Recorder, storage: StorageInMemory, file: Path, pool):
    kept = outcomes([pool.submit(own.keep) for _ in range(500)])
    assert all(isinstance(one, Kept) for one in kept)
    assert len({record.id for record in storage.stored}) == 500
    times = [record.timestamp for record in storage.stored]
    assert times == sorted(set(times))
    assert file.read_text().splitlines() == storage.lines


def test_two_services_on_one_file_have_one_order(own: Recorder, storage: StorageInMemory, file: Path, pool):
    other = recorder_on(file, storage, service="service2")
    kept = outcomes([pool.submit(one.keep) for _ in range(200) for one in (own, other)])
    assert all(isinstance(one, Kept) for one in kept)
    times = [record.timestamp for record in storage.stored]
    assert times == sorted(set(times))
    assert file.read_text().splitlines() == storage.lines


def test_a_batch_is_one_post_and_one_append(own: Recorder, storage: StorageInMemory, pool):
    outcomes([pool.submit(own.keep) for _ in range(300)])
    assert len(storage.batches) < 300
    assert sum(len(batch) for batch in storage.batches) == 300


def test_who_leads_a_batch_knows_the_requests_of_the_others(own: Recorder, storage: StorageInMemory, pool):
    batches: list[set[str]] = []

    def noting() -> None:
        trace = tracing.current()
        assert trace
        batches.append({trace.request_id, *trace.batch})

    def request(number: int) -> None:
        tracing.begin(f"r{number}")
        own.keep()
        tracing.end()

    storage.before = noting
    for future in [pool.submit(request, number) for number in range(100)]:
        future.result(10)
    assert len(batches) == len(storage.batches) < 100
    assert sorted(name for batch in batches for name in batch) == sorted(f"r{number}" for number in range(100))


def test_a_clock_set_back_does_not_change_the_order(own: Recorder, storage: StorageInMemory, file: Path):
    first = own.keep().record
    own.now = lambda: first.timestamp - timedelta(hours=1)
    kept = [first, *(own.keep().record for _ in range(3))]
    assert storage.stored == kept  # by time
    assert file.read_text().splitlines() == [record.line for record in kept]


# what a store could not take


def test_what_storage_does_not_take_is_queued(
    own: Recorder, storage: StorageInMemory, outbox: OutboxInMemory, file: Path
):
    storage.fail()
    kept = own.keep()
    assert kept.delivery == "storage=queued, vstorage=written"
    assert list(outbox.waiting.values()) == [kept.record]
    assert file.read_text() == f"{kept.record.line}\n"


def test_what_neither_storage_nor_the_outbox_takes_is_not_kept(
    own: Recorder, storage: StorageInMemory, outbox: OutboxInMemory, file: Path
):
    storage.fail()
    outbox.most = 0
    with pytest.raises(NotKept, match=r"507: too little free disk\); the outbox is full"):
        own.keep()
    assert file.read_bytes() == b""


def test_a_storage_that_is_down_is_not_tried_again_by_requests(own: Recorder, storage: StorageInMemory):
    tries = []

    def failing() -> None:
        tries.append(1)
        raise StorageError("connection refused")

    storage.before = failing
    assert [own.keep().storage for _ in range(3)] == ["queued"] * 3
    assert len(tries) == 1


def test_a_batch_that_storage_refuses_is_queued_and_the_next_is_tried(own: Recorder, storage: StorageInMemory):
    storage.fail(Verdict.REFUSED)
    assert own.keep().storage == "queued"
    storage.recover()
    assert own.keep().storage == "stored"


def test_trouble_wakes_the_delivery(own: Recorder, storage: StorageInMemory):
    woken = []
    own.on_trouble = lambda: woken.append(True)
    own.keep()
    assert not woken
    storage.fail()
    own.keep()
    assert woken


def test_without_vstorage_the_log_alone_gets_the_record(own: Recorder, storage: StorageInMemory, file: Path):
    file.unlink()
    kept = own.keep()
    assert kept.delivery == "storage=stored, vstorage=failed"
    assert storage.stored == [kept.record]
    assert own.missed.since() == kept.record.timestamp


def test_a_failed_append_is_told_and_made_good_by_the_next(
    own: Recorder, storage: StorageInMemory, file: Path, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        patch.setattr("statuslog.vstorage.os.write", no_space)
        assert own.keep().delivery == "storage=stored, vstorage=failed"
        assert file.read_bytes() == b""
    assert own.keep().delivery == "storage=stored, vstorage=written"
    assert file.read_text().splitlines() == storage.lines


def test_one_who_died_between_the_stores_is_made_good_by_the_next(own: Recorder, storage: StorageInMemory, file: Path):
    own.keep()
    with pytest.raises(SystemExit):
        die_after_storing(own, storage)
    assert len(storage.stored) == 2 == len(file.read_text().splitlines()) + 1
    other = recorder_on(file, storage, service="service2")
    assert other.keep().vstorage == "written"
    assert file.read_text().splitlines() == storage.lines


def test_what_arrives_after_its_sender_was_given_up_is_refused(own: Recorder, storage: StorageInMemory, file: Path):
    late = []

    def on_its_way() -> None:
        storage.before = lambda: None
        late.append(file.read_bytes())
        raise SystemExit  # killed; the request reaches storage later

    storage.before = on_its_way
    with pytest.raises(SystemExit):
        own.keep()
    fence_of_the_late = own.vstorage
    with fence_of_the_late.locked(1) as locked:
        assert locked.behind
        since = locked.behind.since
    other = recorder_on(file, storage, service="service2")
    other.keep()
    with pytest.raises(StorageError, match="412"):
        storage.store([], 1, fence=since)


def test_nobody_cuts_the_file_back_while_an_outbox_holds_a_part_of_it(
    own: Recorder, storage: StorageInMemory, outbox: OutboxInMemory, file: Path
):
    storage.fail()
    queued = own.keep().record
    storage.recover()
    other = recorder_on(file, storage, service="service2")
    with pytest.raises(SystemExit):
        die_after_storing(other, storage)
    assert other.keep().vstorage == "failed"
    assert file.read_text() == f"{queued.line}\n"


def test_a_note_that_cannot_be_kept_with_the_file_is_remembered(
    own: Recorder, storage: StorageInMemory, file: Path, monkeypatch: pytest.MonkeyPatch
):
    def not_supported(*args: object) -> None:
        raise OSError(95, "Operation not supported")

    for name in ("getxattr", "setxattr", "listxattr", "removexattr"):
        monkeypatch.setattr(os, name, not_supported)
    with monkeypatch.context() as patch:
        patch.setattr("statuslog.vstorage.os.write", no_space)
        own.keep()
    own.keep()
    assert file.read_text().splitlines() == storage.lines


@pytest.mark.parametrize("rubbish", [b"", b"x", b"[1]", b"[1, [2]]", b"[1e400, null]", b'["a", null]'])
def test_a_spoiled_note_is_ignored(own: Recorder, file: Path, rubbish: bytes):
    os.setxattr(file, STATE, rubbish)
    assert own.keep().vstorage == "written"


def no_space(descriptor: int, data: bytes) -> int:
    raise OSError(28, "No space left on device")


def die_after_storing(own: Recorder, storage: StorageInMemory) -> None:
    """What SIGKILL does, as far as one process can show it: nothing after the POST is done any more."""
    store = storage.store

    def dying(*args: Any, **options: Any) -> None:
        store(*args, **options)
        raise SystemExit

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "store", dying)
        own.keep()
