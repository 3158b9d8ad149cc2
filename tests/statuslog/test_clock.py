"""A clock that was ahead: the records that were made with it stay, and those of now have their true time."""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from statuslog.delivery import Delivery
from statuslog.record import EPOCH, MICROSECOND, Record, new_id
from statuslog.recorder import Recorder
from statuslog.storage_client import StorageError
from statuslog.verdict import Verdict
from statuslog.vstorage import STATE, VstorageError
from tests.in_memory import OutboxInMemory, StorageInMemory

LAST = datetime.max.replace(tzinfo=UTC)
FAR = [datetime(2099, 5, 6, 7, 8, 9, tzinfo=UTC), LAST]


@pytest.fixture
def courier(own: Recorder, outbox: OutboxInMemory, tmp_path: Path) -> Delivery:
    return Delivery(own, outbox, tmp_path / "delivery.lock")


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines()


def is_of_now(made: Record) -> bool:
    return abs(made.timestamp - datetime.now(UTC)) < timedelta(minutes=1)


def note_newest(file: Path, newest: datetime) -> None:
    os.setxattr(file, STATE, json.dumps([(newest - EPOCH) // MICROSECOND, None, 0]).encode())


@pytest.mark.parametrize("newest", [*FAR, datetime.now(UTC) + timedelta(hours=9)])
def test_a_newest_time_that_no_line_bears_out_is_not_followed(
    own: Recorder, storage: StorageInMemory, file: Path, newest: datetime
):
    own.keep()
    note_newest(file, newest)
    own.vstorage.check()
    for _ in range(3):
        kept = own.keep()
        assert is_of_now(kept.record)
        assert kept.delivery == "storage=stored, vstorage=written"
    assert lines(file) == storage.lines


def test_a_line_of_the_last_five_minutes_is_still_followed(own: Recorder, storage: StorageInMemory, file: Path):
    now = datetime.now(UTC)
    own.now = lambda: now + timedelta(minutes=4)
    own.keep()
    note_newest(file, now + timedelta(hours=9))
    own.now = lambda: now
    assert now + timedelta(minutes=4) < own.keep().record.timestamp < now + timedelta(minutes=4, seconds=2)
    assert lines(file) == storage.lines


def test_a_clock_that_is_set_back_by_hours_is_followed(own: Recorder, storage: StorageInMemory, file: Path):
    now = datetime.now(UTC)
    own.now = lambda: now + timedelta(hours=9)
    first = own.keep().record
    own.now = lambda: now
    for number in range(1, 4):
        kept = own.keep()
        assert kept.record.timestamp == first.timestamp + number * MICROSECOND
        assert kept.delivery == "storage=stored, vstorage=written"
    own.vstorage.check()
    assert lines(file) == storage.lines


@pytest.fixture(params=FAR)
def far(own: Recorder, courier: Delivery, storage: StorageInMemory, request: pytest.FixtureRequest) -> Record:
    """A record of a wrong clock, in both stores, between two of now."""
    made = own.keep().record
    line = f"{request.param:%FT%T}Z{made.line[20:]}"
    made = replace(made, id=new_id(), timestamp=request.param, line=line)
    storage.batches.append([made])
    with own.vstorage.locked(1) as locked:
        locked.fall_behind(EPOCH)
    assert courier.deliver()
    return made


def test_records_of_now_have_their_time_though_one_is_of_the_far_future(
    own: Recorder, courier: Delivery, storage: StorageInMemory, file: Path, far: Record
):
    assert lines(file)[-1] == far.line
    for _ in range(3):
        for _ in range(2):
            kept = own.keep()
            assert is_of_now(kept.record)
            assert kept.storage == "stored"
        assert courier.deliver()
        assert lines(file) == storage.lines
        assert lines(file)[-1] == far.line


def test_it_is_named(own: Recorder, courier: Delivery, far: Record):
    with pytest.raises(VstorageError) as error:
        own.vstorage.check()
    assert error.value.reason == "clock_ahead"
    assert courier.problems() == ["clock_ahead"]


def test_an_early_record_in_the_outbox_is_named(own: Recorder, courier: Delivery, outbox: OutboxInMemory):
    outbox.put([own.keep().record])
    outbox.defer(1, datetime.now(UTC) + timedelta(hours=1))
    assert courier.problems() == ["clock_ahead"]


def test_a_service_follows_no_other_whose_clock_is_ahead(
    own: Recorder, courier: Delivery, storage: StorageInMemory, file: Path, monkeypatch: pytest.MonkeyPatch
):
    """storage has refused the other one's records as too early; their lines are in the file until that is known."""
    own.keep()
    ahead = datetime.now(UTC) + timedelta(hours=8)
    with file.open("a") as end:
        end.write(f"{ahead:%FT%T}Z: of the other one\n")
    note_newest(file, ahead)
    store = storage.store

    def refuse_early(records: Sequence[Record], *args: Any, **options: Any) -> None:
        if any(not is_of_now(made) for made in records):
            raise StorageError("400: its time is ahead", Verdict.EARLY)
        store(records, *args, **options)

    monkeypatch.setattr(storage, "store", refuse_early)
    for _ in range(3):
        kept = own.keep()
        assert is_of_now(kept.record)
        assert kept.storage == "stored"
    assert courier.deliver()
    assert lines(file) == storage.lines
    assert len(lines(file)) == 4
    assert own.keep().delivery == "storage=stored, vstorage=written"
