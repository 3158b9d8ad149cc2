"""`manage.py verify` while records wait in an outbox for a moment."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from statuslog import verify
from statuslog.outbox.management.commands import verify as command
from statuslog.recorder import Recorder
from tests.in_memory import StorageInMemory


@pytest.fixture(autouse=True)
def waiting(own: Recorder, storage: StorageInMemory, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch):
    """A record of service2 waits, and is in both stores already."""

    def log(_: Any, since: datetime, until: datetime) -> Iterator[bytes]:
        yield b"".join(f"{made.line}\n".encode() for made in storage.stored)

    settings.SERVICE, settings.DATA_DIR = "service1", tmp_path
    monkeypatch.setattr(verify, "_log", log)
    monkeypatch.setattr(command, "recorder_from_environment", lambda service: (own, None))
    own.keep()
    mark(own, waits=True)


def mark(own: Recorder, *, waits: bool) -> None:
    with own.vstorage.locked(1) as file:
        file.set_waiting("service2", waits)


def test_it_waits_for_what_is_delivered_in_a_moment(own: Recorder):
    delivery = threading.Timer(0.3, mark, [own], {"waits": False})
    delivery.start()
    out = StringIO()
    try:
        call_command(command.Command(), stdout=out)
    finally:
        delivery.join()
    assert out.getvalue() == "equal, 1 record\n"


def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command, "OUTBOX_PATIENCE", 0.2)
    with pytest.raises(CommandError, match="records wait in the outbox of service2"):
        call_command(command.Command())


def test_it_does_not_wait_for_a_storage_that_is_down(storage: StorageInMemory):
    storage.ready = False
    started = time.monotonic()
    with pytest.raises(CommandError, match="records wait in the outbox of service2"):
        call_command(command.Command())
    assert time.monotonic() - started < command.OUTBOX_PATIENCE / 2
