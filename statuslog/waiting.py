"""Connections that the worker's main thread waits for: to be read from or written to, each until a time of its own."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from selectors import BaseSelector

from statuslog.connection import Connection


@dataclass(slots=True)
class _Wait:
    since: float
    until: float
    bytes: int


class Waiting:
    """Those that wait for one event, in the order in which they began to. For the main thread only.

    `ready` is called with each that the event has come for; it is still among those that wait.
    """

    def __init__(self, poller: BaseSelector, event: int, ready: Callable[[Connection], None]) -> None:
        self._poller = poller
        self._event = event
        self._ready = ready
        self._waits: dict[Connection, _Wait] = {}
        self.bytes = 0  # that they hold in memory

    def __len__(self) -> int:
        return len(self._waits)

    def add(self, connection: Connection, seconds: float, bytes_held: int = 0) -> None:
        now = time.monotonic()
        self._waits[connection] = _Wait(now, now + seconds, bytes_held)
        self.bytes += bytes_held
        self._poller.register(connection.sock, self._event, lambda _: self._come(connection))

    def _come(self, connection: Connection) -> None:
        if connection in self._waits:  # another one that was ready at the same time may have cost it its place
            self._ready(connection)

    def remove(self, connection: Connection) -> None:
        self.bytes -= self._waits.pop(connection).bytes
        with suppress(OSError, KeyError, ValueError):
            self._poller.unregister(connection.sock)

    def limit(self, connection: Connection, seconds: float) -> None:
        """Wait only so long from now on."""
        self._waits[connection].until = time.monotonic() + seconds

    def hold(self, connection: Connection, bytes_held: int) -> None:
        """The connection will hold so many bytes."""
        wait = self._waits[connection]
        self.bytes += bytes_held - wait.bytes
        wait.bytes = bytes_held

    def overdue(self) -> list[Connection]:
        now = time.monotonic()
        return [connection for connection, wait in self._waits.items() if wait.until < now]

    def longest(self, seconds: float, *, holding: bool = False) -> Iterator[Connection]:
        """Those that have waited for longer than so many seconds, longest first; or those of them that hold bytes."""
        before = time.monotonic() - seconds
        for connection, wait in list(self._waits.items()):
            if wait.since > before:
                return
            if wait.bytes or not holding:
                yield connection
