"""What the stores could not take is brought to them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from statuslog import delivery, emptying
from statuslog.delivery import Delivery
from statuslog.record import EPOCH, MICROSECOND, Record, new_id
from statuslog.recorder import Recorder
from statuslog.storage_client import StorageError
from statuslog.verdict import Verdict
from tests.in_memory import OutboxInMemory, StorageInMemory


@pytest.fixture
def courier(own: Recorder, outbox: OutboxInMemory, tmp_path: Path) -> Delivery:
    return Delivery(own, outbox, tmp_path / "delivery.lock")


def outage(own: Recorder, storage: StorageInMemory, count: int) -> list[Record]:
    """Storage is away for so many records."""
    storage.fail()
    storage.ready = False
    kept = [own.keep().record for _ in range(count)]
    storage.recover()
    return kept


def test_with_nothing_to_bring_it_is_done(courier: Delivery, storage: StorageInMemory):
    assert courier.deliver()
    assert storage.batches == []


def test_it_waits_until_storage_is_ready(courier: Delivery, own: Recorder, storage: StorageInMemory):
    outage(own, storage, 3)
    assert not courier.deliver()
    assert storage.stored == []
    assert own.storage_down
    storage.ready = True
    assert courier.deliver()
    assert not own.storage_down
    assert own.keep().storage == "stored"


def test_it_empties_the_outbox_oldest_first_in_bounded_batches(
    courier: Delivery, own: Recorder, storage: StorageInMemory, outbox: OutboxInMemory, file: Path
):
    kept = outage(own, storage, 2 * emptying.BATCH + 1)
    storage.ready = True
    assert courier.deliver()
    assert [record for batch in storage.batches for record in batch] == kept
    assert max(len(batch) for batch in storage.batches) == emptying.BATCH
    assert outbox.is_empty()
    assert file.read_text().splitlines() == storage.lines


def test_more_records_of_one_time_than_a_page_holds(
    courier: Delivery, own: Recorder, storage: StorageInMemory, file: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(delivery, "CATCH_UP_RECORDS", 2)
    first = own.keep().record
    same = [replace(first, id=new_id(), line=f"imported {number}") for number in range(20)]
    storage.batches += [same, [replace(first, id=new_id(), timestamp=first.timestamp + MICROSECOND)]]
    with own.vstorage.locked(1) as locked:
        locked.fall_behind(EPOCH)
    assert courier.deliver()
    assert file.read_text().splitlines() == storage.lines


def test_others_may_mend_the_file_only_after_that(
    courier: Delivery, own: Recorder, storage: StorageInMemory, outbox: OutboxInMemory
):
    def waiting() -> set[str]:
        with own.vstorage.locked(1) as locked:
            return locked.waiting()

    outage(own, storage, 1)
    assert waiting() == {"service1"}
    storage.ready = True
    courier.deliver()
    assert waiting() == set()


def test_what_storage_refuses_for_good_is_set_aside(
    courier: Delivery, own: Recorder, storage: StorageInMemory, outbox: OutboxInMemory, file: Path, monkeypatch
):
    bad = outage(own, storage, 3)[1]
    storage.ready = True
    store: Callable[..., None] = storage.store

    def refusing(records, *args, **options):
        if bad in records:
            raise StorageError("409: a record with this id exists and is another one", Verdict.REFUSED)
        store(records, *args, **options)

    monkeypatch.setattr(storage, "store", refusing)
    assert courier.deliver()
    assert len(storage.stored) == 2
    assert list(outbox.refused.values()) == ["409: a record with this id exists and is another one"]
    assert courier.facts() == {"outbox": {"waiting": 0, "refused": 1}}
    assert file.read_text().splitlines() == storage.lines  # the outbox alone has the record now
    assert courier.deliver()  # it is not tried again


def refusing(
    storage: StorageInMemory, bad: Sequence[Record], verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let storage give its verdict on any request with one of these records."""
    store: Callable[..., None] = storage.store

    def refuse(records: Sequence[Record], *args: Any, **options: Any) -> None:
        if any(made in records for made in bad):
            raise StorageError(f"400: {verdict}", verdict)
        store(records, *args, **options)

    monkeypatch.setattr(storage, "store", refuse)


@pytest.mark.parametrize("verdict", [Verdict.EARLY, Verdict.LARGE])
def test_what_storage_does_not_take_now_waits_and_stops_nobody(
    courier: Delivery, own: Recorder, storage: StorageInMemory, outbox: OutboxInMemory, file: Path, verdict: Verdict
):
    kept = outage(own, storage, 5)
    storage.ready = True
    with pytest.MonkeyPatch.context() as patch:
        refusing(storage, kept[1:3], verdict, patch)
        assert courier.deliver()
        assert storage.stored == [kept[0], *kept[3:]]
        assert courier.facts() == {"outbox": {"waiting": 2, "refused": 0}}
        assert file.read_text().splitlines() == storage.lines
        tries = len(storage.batches)
        assert courier.deliver()
        assert len(storage.batches) == tries  # they are not sent before it is time
    outbox.due = dict.fromkeys(outbox.due, EPOCH + MICROSECOND)  # their time has come
    assert courier.deliver()
    assert storage.stored == kept
    assert file.read_text().splitlines() == [made.line for made in kept]
    assert outbox.is_empty()


def test_a_record_of_tomorrow_is_due_when_storage_will_take_it(
    courier: Delivery, own: Recorder, storage: StorageInMemory, outbox: OutboxInMemory, monkeypatch: pytest.MonkeyPatch
):
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    outbox.put([replace(own.keep().record, id=new_id(), timestamp=tomorrow)])
    refusing(storage, list(outbox.waiting.values()), Verdict.EARLY, monkeypatch)
    assert courier.deliver()
    assert list(outbox.due.values()) == [tomorrow - timedelta(minutes=5)]


@pytest.mark.parametrize("number", range(1, 4))
def test_who_is_killed_while_a_late_record_is_delivered_leaves_the_rest_to_the_next(
    courier: Delivery, own: Recorder, storage: StorageInMemory, outbox: OutboxInMemory, file: Path, number: int
):
    kept = outage(own, storage, 3)
    storage.ready = True
    with pytest.MonkeyPatch.context() as patch:
        refusing(storage, kept[1:2], Verdict.EARLY, patch)
        courier.deliver()
    outbox.due = dict.fromkeys(outbox.due, EPOCH + MICROSECOND)
    with pytest.MonkeyPatch.context() as patch:
        calls = iter(range(1, 100))

        def dying(method: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **options: Any) -> Any:
                if next(calls) == number:
                    raise SystemExit
                return method(*args, **options)

            return call

        patch.setattr(storage, "store", dying(storage.store))
        patch.setattr(own.missed, "note", dying(own.missed.note))
        patch.setattr(outbox, "remove", dying(outbox.remove))
        with pytest.raises(SystemExit):
            courier.deliver()
    assert courier.deliver()
    assert storage.stored == kept
    assert file.read_text().splitlines() == storage.lines


def test_a_storage_that_goes_away_again_is_waited_for(
    courier: Delivery, own: Recorder, storage: StorageInMemory, outbox: OutboxInMemory
):
    outage(own, storage, 3)
    storage.ready = True
    storage.fail()
    assert not courier.deliver()
    assert own.storage_down
    assert len(outbox.waiting) == 3


def test_a_repeated_delivery_stores_nothing_twice(
    courier: Delivery, own: Recorder, storage: StorageInMemory, outbox: OutboxInMemory, monkeypatch
):
    kept = outage(own, storage, 2)
    storage.ready = True
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "remove", lambda rows: (_ for _ in ()).throw(SystemExit))  # killed after the POST
        with pytest.raises(SystemExit):
            courier.deliver()
    assert courier.deliver()
    assert storage.stored == kept


def test_what_vstorage_missed_is_written_there_in_order(
    courier: Delivery, own: Recorder, storage: StorageInMemory, file: Path
):
    own.keep()
    away = file.rename(file.with_name("away"))
    for _ in range(3):
        assert own.keep().vstorage == "failed"
    assert not courier.deliver()
    away.rename(file)
    own.keep()
    assert courier.deliver()
    assert file.read_text().splitlines() == storage.lines
    assert len(storage.lines) == 5
    assert own.missed.since() is None


def test_a_long_gap_is_mended_page_by_page(
    courier: Delivery, own: Recorder, storage: StorageInMemory, file: Path, monkeypatch
):
    monkeypatch.setattr(delivery, "CATCH_UP_RECORDS", 10)
    away = file.rename(file.with_name("away"))
    for _ in range(35):
        own.keep()
    away.rename(file)
    assert courier.deliver()
    assert file.read_text().splitlines() == storage.lines
    assert len(storage.lines) == 35


def test_vstorage_is_not_mended_while_another_outbox_waits(
    courier: Delivery, own: Recorder, storage: StorageInMemory, file: Path
):
    with own.vstorage.locked(1) as locked:
        locked.set_waiting("service2", True)
        locked.begin(own.now(), 1)
    assert not courier.deliver()
    with own.vstorage.locked(1) as locked:
        locked.set_waiting("service2", False)
    assert courier.deliver()


def test_two_processes_do_not_deliver_at_once(
    courier: Delivery, own: Recorder, storage: StorageInMemory, outbox: OutboxInMemory, tmp_path: Path
):
    outage(own, storage, 1)
    storage.ready = True
    other = Delivery(own, outbox, tmp_path / "delivery.lock")
    done = []
    storage.before = lambda: done.append(other.deliver())
    assert courier.deliver()
    assert done == [True]
    assert len(storage.batches) == 1


def test_problems_are_named(courier: Delivery, storage: StorageInMemory, file: Path):
    assert courier.problems() == []
    storage.ready = False
    file.unlink()
    assert courier.problems() == ["vstorage_not_writable", "storage_unreachable"]


def test_the_background_work_begins_when_there_is_trouble(
    courier: Delivery, own: Recorder, storage: StorageInMemory, outbox: OutboxInMemory
):
    import time

    courier.start()
    outage(own, storage, 5)
    storage.ready = True
    deadline = time.monotonic() + 5
    while not outbox.is_empty() or own.storage_down:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert len(storage.stored) == 5
