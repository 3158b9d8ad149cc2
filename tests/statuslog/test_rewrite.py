"""When the log's past has changed, vstorage is written anew."""

import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from statuslog import rewrite, verify
from statuslog.delivery import Delivery
from statuslog.recorder import Recorder
from statuslog.storage_client import StorageError
from statuslog.vstorage import VstorageError
from tests.in_memory import OutboxInMemory, StorageInMemory, recorder_on

FEW = 300  # bytes: a piece of four lines


@pytest.fixture
def other(file: Path, storage: StorageInMemory) -> Recorder:
    return recorder_on(file, storage, service="service2")


@pytest.fixture
def pruned(own: Recorder, storage: StorageInMemory) -> list[str]:
    """A log of 20 records that has lost the first 8; the lines of the others."""
    for _ in range(20):
        own.keep()
    storage.prune(8)
    return storage.lines


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines()


def test_the_same_edition_needs_nothing(own: Recorder, tmp_path: Path, file: Path):
    own.keep()
    file.write_text("somebody has edited it\n")
    assert not rewrite.follow(own, tmp_path)
    assert file.read_text() == "somebody has edited it\n"


def test_another_edition_is_followed_once(own: Recorder, pruned: list[str], tmp_path: Path, file: Path):
    inode = file.stat().st_ino
    assert rewrite.follow(own, tmp_path)
    assert lines(file) == pruned
    assert file.stat().st_ino == inode
    assert own.keep().delivery == "storage=stored, vstorage=written"
    assert not rewrite.follow(own, tmp_path)
    assert lines(file) == own.storage.lines  # type: ignore[attr-defined]


def test_the_delivery_sees_to_it(own: Recorder, outbox: OutboxInMemory, pruned: list[str], tmp_path: Path, file: Path):
    assert Delivery(own, outbox, tmp_path / "delivery.lock").deliver()
    assert lines(file) == pruned


def test_it_tells_what_is_equal_in_both(own: Recorder, pruned: list[str], tmp_path: Path, file: Path):
    copied = rewrite.follow(own, tmp_path)
    assert copied
    assert (copied.edition, copied.lines, copied.size) == (1, len(pruned), file.stat().st_size)
    assert own.keep().record.timestamp > copied.until


@pytest.mark.parametrize("edit", ["truncate --size=0 {}", "sed --in-place s/2/3/ {}", "rm {}"])
def test_nothing_is_known_of_a_file_that_was_edited_meanwhile(
    own: Recorder, pruned: list[str], tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, edit: str
):
    begins_with = rewrite._begins_with

    def edited(*args: Any) -> bool:
        subprocess.run(edit.format(file), shell=True, check=True)
        return begins_with(*args)

    monkeypatch.setattr(rewrite, "_begins_with", edited)
    monkeypatch.setattr(rewrite, "catch_up", lambda recorder: None)
    assert rewrite.follow(own, tmp_path) == rewrite.Copied()


@pytest.fixture
def compare(own: Recorder, storage: StorageInMemory, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    def log(_: Any, since: datetime, until: datetime) -> Iterator[bytes]:
        yield b"".join(f"{made.line}\n".encode() for made in storage.stored if since <= made.timestamp < until)

    monkeypatch.setattr(verify, "_log", log)
    return lambda known: verify.compare(own, lambda done, size: None, known)


def test_verify_looks_only_at_what_came_since(
    own: Recorder, pruned: list[str], tmp_path: Path, file: Path, compare: Callable[..., Any]
):
    copied = rewrite.follow(own, tmp_path)
    own.keep()
    assert compare(copied) == compare(None) == len(pruned) + 1
    file.write_bytes(file.read_bytes().replace(b"2", b"3", 1))  # which it does not look at any more
    assert compare(copied) == len(pruned) + 1
    assert compare(None).number == 1
    with file.open("a") as end:
        end.write("somebody has added it\n")
    assert compare(copied).number == len(pruned) + 2


def test_verify_looks_at_all_of_another_edition(
    own: Recorder, storage: StorageInMemory, pruned: list[str], tmp_path: Path, file: Path, compare: Callable[..., Any]
):
    copied = rewrite.follow(own, tmp_path)
    storage.prune(3)
    rewrite.follow(own, tmp_path)  # by somebody else, say
    for _ in range(5):
        own.keep()
    assert compare(copied) == len(storage.lines)


def test_verify_looks_at_all_of_a_file_that_has_become_shorter(
    own: Recorder, pruned: list[str], tmp_path: Path, file: Path, compare: Callable[..., Any]
):
    copied = rewrite.follow(own, tmp_path)
    os.truncate(file, 0)
    assert compare(copied).number == 1


def test_an_empty_log(own: Recorder, storage: StorageInMemory, tmp_path: Path, file: Path):
    own.keep()
    storage.prune(1)
    assert rewrite.follow(own, tmp_path)
    assert lines(file) == []


def test_what_is_kept_meanwhile_is_in_it_once(
    own: Recorder,
    other: Recorder,
    storage: StorageInMemory,
    pruned: list[str],
    tmp_path: Path,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    text = storage.text

    def keep_one_in_the_middle(until: datetime, timeout: float) -> Iterator[bytes]:
        yield from text(until, timeout)
        other.keep()

    monkeypatch.setattr(storage, "text", keep_one_in_the_middle)
    monkeypatch.setattr(rewrite, "PIECE", FEW)
    between: list[str] = []
    rewrite.follow(own, tmp_path, lambda done, size: between.append(other.keep().delivery))
    assert set(between) == {"storage=stored, vstorage=failed"}  # they follow, and destroy nothing
    assert len(between) > 1
    assert lines(file) == storage.lines
    assert len(lines(file)) == len(pruned) + 1 + len(between)


def test_what_comes_late_from_a_dead_process_is_refused(
    own: Recorder, storage: StorageInMemory, pruned: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    sent = own.keep().record  # its request is still on its way, too
    text = storage.text

    def come_late(until: datetime, timeout: float) -> Iterator[bytes]:
        yield from text(until, timeout)
        with pytest.raises(StorageError, match="fenced off"):
            storage.store([sent], timeout, fence=sent.timestamp)

    monkeypatch.setattr(storage, "text", come_late)
    assert rewrite.follow(own, tmp_path)


def test_who_is_killed_leaves_it_to_the_services(
    own: Recorder,
    storage: StorageInMemory,
    outbox: OutboxInMemory,
    pruned: list[str],
    tmp_path: Path,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    def die(done: int, size: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rewrite, "PIECE", FEW)
    with pytest.raises(KeyboardInterrupt):
        rewrite.follow(own, tmp_path, die)
    assert 0 < len(lines(file)) < len(pruned)
    Delivery(own, outbox, tmp_path / "delivery.lock").deliver()
    assert lines(file) == pruned


def test_not_while_an_outbox_waits(own: Recorder, pruned: list[str], tmp_path: Path, file: Path):
    before = lines(file)
    with own.vstorage.locked(1) as locked:
        locked.set_waiting("service2", True)
    with pytest.raises(rewrite.RewriteError, match="outbox of service2"):
        rewrite.follow(own, tmp_path)
    assert lines(file) == before


def test_one_at_a_time(own: Recorder, other: Recorder, pruned: list[str], tmp_path: Path):
    with (
        other.vstorage.rewriting(0),
        pytest.raises(rewrite.RewriteError, match="another process is writing it anew"),
    ):
        rewrite.follow(own, tmp_path)
    assert rewrite.follow(own, tmp_path)


def test_no_room_for_the_copy(own: Recorder, pruned: list[str], tmp_path: Path, file: Path):
    before = lines(file)
    with pytest.raises(rewrite.RewriteError, match="cannot be copied there: No such file"):
        rewrite.follow(own, tmp_path / "nowhere")
    assert lines(file) == before


def test_a_file_that_was_written_by_an_older_version_is_of_edition_0(own: Recorder, file: Path):
    os.setxattr(file, "user.statuslog", b"[5, [7, 8]]")
    assert own.vstorage.edition() == 0
    with pytest.raises(VstorageError, match="lacks records"):
        own.vstorage.check()


def test_verify_does_not_take_for_a_difference_what_is_being_mended(
    own: Recorder, storage: StorageInMemory, pruned: list[str], tmp_path: Path, compare: Callable[..., Any]
):
    rewrite.follow(own, tmp_path)
    first = storage.stored[0]
    with own.vstorage.locked(1) as behind:  # as a delivery does it, which lets go of the lock between two pages
        behind.fall_behind(first.timestamp)
        behind.catch_up([(first.timestamp, first.line)])
    assert compare(None) == len(pruned)


def test_verify_believes_what_it_sees_twice(
    own: Recorder,
    storage: StorageInMemory,
    pruned: list[str],
    tmp_path: Path,
    file: Path,
    compare: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
):
    rewrite.follow(own, tmp_path)
    read, cut_back = verify._file, iter([0])
    monkeypatch.setattr(verify, "_file", lambda path, offset, size: read(path, offset, next(cut_back, size)))
    assert compare(None) == len(pruned)
    file.write_text(file.read_text().replace(pruned[3], "somebody has edited it", 1))
    assert compare(None).vstorage == b"somebody has edited it"
