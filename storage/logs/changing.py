"""Commands that change the log exclude each other: two restores at once would mix, an import would be half in the log
of before and half in the one that was restored. Imports alone share: a line that two of them bring is stored once."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.conf import settings

PATIENCE = 10.0  # seconds to wait for another command; a prune, or an import of a few lines, takes less
PAUSE = 0.1
LONGEST_NAME = 100
DONE = ", done"


class UnderWay(Exception):
    """Another command changes the log; the text names it."""


class Change:
    """What the command that holds the lock does."""

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self._write(name)

    def end(self) -> None:
        """The log is changed. The others are held off until the block ends, in which vstorage follows."""
        self._write(f"{_name(self._descriptor)}{DONE}")

    def forget(self) -> None:
        """Leave no name behind."""
        self._write("")

    def _write(self, text: str) -> None:
        with suppress(OSError):  # a full disk: the lock holds all the same
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, text.encode(), 0)


@contextmanager
def alone(
    name: str, *, shared: bool = False, patience: float | None = None, against: str | None = None
) -> Iterator[Change]:
    """In the block no other command changes the log, but for those that share it as this one does; raises UnderWay,
    after `patience` seconds, and at once if the other one is that which this is `against`."""
    descriptor = _open()
    try:
        how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        _lock(descriptor, how, PATIENCE if patience is None else patience, against)
        change = Change(descriptor, name)
        yield change
        change.forget()
    finally:
        os.close(descriptor)


def under_way() -> str:
    """The name of the command that changes the log now, or nothing."""
    try:
        descriptor = _open()
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        name = _name(descriptor)
        return "" if name.endswith(DONE) else name
    finally:
        os.close(descriptor)
    return ""


def _lock(descriptor: int, how: int, patience: float, against: str | None) -> None:
    deadline = time.monotonic() + patience
    before = ""
    while True:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            name = _name(descriptor).removesuffix(DONE)
            # Once is not enough: who only looks has the lock for a moment, and one that was killed has left its name.
            if time.monotonic() >= deadline or name == before == against:
                raise UnderWay(f"another command is under way ({name}); wait for its end, and try again") from None
            before = name
            time.sleep(PAUSE)
        else:
            return


def _name(descriptor: int) -> str:
    return os.pread(descriptor, LONGEST_NAME, 0).decode(errors="replace") or "unknown"


def _open() -> int:
    return os.open(settings.DATA_DIR / "change.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
