"""service1's views, with a recorder of its own."""

from pathlib import Path

import pytest

from service1 import views
from statuslog.recorder import Recorder
from tests.in_memory import OutboxInMemory, StorageInMemory, recorder_on


@pytest.fixture
def storage() -> StorageInMemory:
    return StorageInMemory()


@pytest.fixture
def outbox() -> OutboxInMemory:
    return OutboxInMemory()


@pytest.fixture
def vstorage(tmp_path: Path) -> Path:
    path = tmp_path / "vstorage"
    path.touch()
    return path


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch, storage: StorageInMemory, outbox: OutboxInMemory, vstorage: Path) -> Recorder:
    """What keeps the records of the views: vstorage is a real file, the other two are in memory."""
    own = recorder_on(vstorage, storage, outbox, "service1")
    own.then = views.companions
    monkeypatch.setattr(views, "own", own)
    return own
