"""What vstorage alone has is kept aside before the file is written as the copy of a log that lacks it."""

import io
import os
from pathlib import Path

import pytest

from statuslog import aside, rewrite
from statuslog.delivery import Delivery
from statuslog.recorder import Recorder
from tests.in_memory import OutboxInMemory, StorageInMemory


@pytest.mark.parametrize(
    ("file", "log", "kept"),
    [
        ("", "", None),
        ("1\n2\n", "1\n2\n", None),
        ("1\n2\n", "1\n2\n3\n", None),
        ("1\n3\n", "1\n2\n3\n", None),
        ("", "1\n", None),
        ("1\n2\n", "", "1\n2\n"),
        ("1\n2\n3\n", "1\n3\n", "2\n"),
        ("1\n2\n3\n", "2\n3\n", "1\n"),
        ("1\n2\n3\n", "1\n2\n", "3\n"),
        ("1\n2\n2\n3\n", "1\n2\n3\n", "2\n"),
        ("1\nb2\n3\n", "1\na2\n3\n", "b2\n"),
        ("1\n2b\n3\n", "1\n2a\n3\n", "2b\n"),
        ("1\nx\n2\ny\n3\n", "1\n2\n3\n", "x\n2\ny\n"),
        ("1\ntorn", "1\n", "torn"),
        ("1\n12\n", "1\n2\n", "12\n"),
        ("2\n", "12\n", "2\n"),
    ],
)
@pytest.mark.parametrize("chunk", [1, 2, 3, 65536])
def test_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, log: str, kept: str | None, chunk: int
):
    monkeypatch.setattr(aside, "CHUNK", chunk)
    path = tmp_path / "vstorage"
    path.write_text(file)
    found = aside.keep(path, len(file), io.BytesIO(log.encode()), tmp_path)
    assert (found.read_text() if found else None) == kept
    if found:
        assert found.stat().st_mode & 0o777 == 0o600


def test_a_repair_keeps_what_a_lost_log_lacks(own: Recorder, storage: StorageInMemory, tmp_path: Path, file: Path):
    lost = [own.keep().record.line for _ in range(3)]
    storage.batches.clear()
    own.keep()
    copied = rewrite.follow(own, tmp_path, always=True)
    assert copied
    assert copied.aside
    assert copied.aside.read_text().splitlines() == lost
    assert file.read_text().splitlines() == storage.lines


def test_so_does_a_service_that_finds_an_older_edition(
    own: Recorder,
    outbox: OutboxInMemory,
    storage: StorageInMemory,
    tmp_path: Path,
    file: Path,
    caplog: pytest.LogCaptureFixture,
):
    storage.log_edition = 2
    courier = Delivery(own, outbox, tmp_path / "delivery.lock")
    courier.deliver()
    lost = [own.keep().record.line for _ in range(3)]
    storage.batches.clear()
    storage.log_edition = 0
    own.keep()
    courier.deliver()
    (kept,) = tmp_path.glob("vstorage-kept-*")
    assert kept.read_text().splitlines() == lost
    assert f"what vstorage alone had was kept aside in {kept}" in caplog.messages
    assert file.read_text().splitlines() == storage.lines


def test_what_was_pruned_is_not_kept(own: Recorder, storage: StorageInMemory, tmp_path: Path):
    for _ in range(3):
        own.keep()
    storage.prune(2)
    copied = rewrite.follow(own, tmp_path)
    assert copied
    assert copied.aside is None
    assert not list(tmp_path.glob("vstorage-kept-*"))


def test_without_room_for_it_nothing_is_written(own: Recorder, storage: StorageInMemory, file: Path, tmp_path: Path):
    own.keep()
    before = file.read_text()
    storage.batches.clear()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(rewrite.RewriteError, match="No space"):

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr(os, "fsync", full)
        rewrite.follow(own, tmp_path, always=True)
    assert file.read_text() == before
