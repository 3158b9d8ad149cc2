"""The mark of an import under way: who finds it, and nobody who holds it, ends what a dead import has begun."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import transaction

from logs.models import Edition
from statuslog import filelock


@contextmanager
def marked(folder: Path) -> Iterator[None]:
    """In the block lines are stored, and then a new edition begins. Who dies in it leaves that to `settle`."""
    descriptor = _open_mark(folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)  # of several imports at once each has it
        os.pwrite(descriptor, b"!", 0)
        os.fsync(descriptor)
        yield
        if filelock.try_lock(descriptor):  # else it is now the others' mark
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def settle(folder: Path) -> bool:
    """Begin the edition that a dead import has left out, so that vstorage follows; True if there was one."""
    descriptor = _open_mark(folder)
    try:
        if not os.fstat(descriptor).st_size or not filelock.try_lock(descriptor):
            return False
        begin_edition()
        os.ftruncate(descriptor, 0)
        return True
    finally:
        os.close(descriptor)


def begin_edition() -> None:
    with transaction.atomic(durable=True):
        Edition.begin()


def _open_mark(folder: Path) -> int:
    return os.open(folder / "import.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
