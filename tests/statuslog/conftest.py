"""What the tests of the recorder and of the delivery share: vstorage is a real file, the other two are in memory."""

from pathlib import Path

import pytest

from statuslog.recorder import Recorder
from tests.in_memory import OutboxInMemory, StorageInMemory, recorder_on


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "vstorage"
    path.touch()
    return path


@pytest.fixture
def storage() -> StorageInMemory:
    return StorageInMemory()


@pytest.fixture
def outbox() -> OutboxInMemory:
    return OutboxInMemory()


@pytest.fixture
def own(file: Path, storage: StorageInMemory, outbox: OutboxInMemory) -> Recorder:
    return recorder_on(file, storage, outbox)
