"""Numbers in mapped files: without room for the file they are kept in memory."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.mmap_dict import MmapedDict

from statuslog.counts import FIRST_BYTES, Allocated


class Disk:
    """A disk that is full when it is told so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self._allocate = os.posix_fallocate
        monkeypatch.setattr(os, "posix_fallocate", self._checked)

    def _checked(self, descriptor: int, start: int, length: int) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._allocate(descriptor, start, length)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    yield Disk(monkeypatch)
    Allocated.private.clear()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "counter_1.db"


def fill(counts: Allocated, number: int) -> None:
    for index in range(number):
        counts.write_value(f"key {index:05}", float(index), 0.0)  # type: ignore[no-untyped-call]


def kept(file: Path) -> dict[str, float]:
    return {key: value for key, value, _, _ in MmapedDict.read_all_values_from_file(file)}  # type: ignore


def everything(number: int) -> dict[str, float]:
    return {f"key {index:05}": float(index) for index in range(number)}


def test_all_that_is_mapped_is_allocated(disk: Disk, file: Path):
    counts = Allocated(str(file))
    fill(counts, 3000)
    assert file.stat().st_size == 2 * FIRST_BYTES
    assert file.stat().st_blocks * 512 >= file.stat().st_size
    assert kept(file) == everything(3000)


def test_another_process_goes_on_where_one_has_ended(disk: Disk, file: Path):
    fill(Allocated(str(file)), 2000)
    disk.full = False
    counts = Allocated(str(file))
    assert counts.read_value("key 01999")[0] == 1999  # type: ignore[no-untyped-call]


def test_without_room_at_the_start_it_counts_in_memory_until_there_is_some(disk: Disk, file: Path):
    disk.full = True
    counts = Allocated(str(file))
    fill(counts, 3000)
    assert not file.exists()
    ((name, values),) = Allocated.settle()
    assert (name, {key: value for key, value, _, _ in values}) == (file.name, everything(3000))
    disk.full = False
    assert list(Allocated.settle()) == []
    fill(counts, 3001)
    assert kept(file) == everything(3001)


def test_a_disk_that_has_filled_up_costs_no_number(disk: Disk, file: Path):
    counts = Allocated(str(file))
    fill(counts, 100)
    disk.full = True
    fill(counts, 3000)
    ((_, values),) = Allocated.settle()
    assert {key: value for key, value, _, _ in values} == everything(3000)
    disk.full = False
    assert list(Allocated.settle()) == []
    assert kept(file) == everything(3000)
