"""Signals that want a command to end: it hears of them as an exception, leaves everything in order, and says how
things are. This module must not know what a command does."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """A signal has come."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number  # the exit code that a shell gives to what the signal has ended


class _Pending:
    shielded = False
    number: int | None = None


@contextmanager
def heard() -> Iterator[None]:
    """In the block the first signal raises Stopped, and the next one ends the process at once. One that the caller has
    set to be ignored, as nohup does, stays ignored."""
    usual = {number: signal.getsignal(number) for number in SIGNALS}
    taken = [number for number, handler in usual.items() if handler != signal.SIG_IGN]
    for number in taken:
        signal.signal(number, _hear)
    try:
        yield
    finally:
        _Pending.number = None
        for number in taken:
            signal.signal(number, usual[number])


@contextmanager
def shielded() -> Iterator[None]:
    """In the block a signal waits: what is done in it is done as a whole. `pending` raises it later."""
    _Pending.shielded = True
    try:
        yield
    finally:
        _Pending.shielded = False


def pending() -> None:
    """Raise Stopped if a signal has come in a shielded block."""
    if _Pending.number is not None:
        number, _Pending.number = _Pending.number, None
        raise Stopped(number)


def _hear(number: int, frame: FrameType | None) -> None:
    if _Pending.shielded:
        _Pending.number = number
        return
    signal.signal(number, signal.SIG_DFL)
    raise Stopped(number)
