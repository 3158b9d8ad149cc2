"""Answers that go on until somebody ends them: how many there may be in a process, and who ends them.

Each keeps a thread. The worker's main thread (worker.py) looks after them: it ends those whose client has gone, and
all of them when the process is to stop.
"""

import select
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import Gauge

from statuslog import env
from statuslog.metrics import REGISTRY

FOLLOWERS = Gauge(
    "statuslog_followers",
    "Answers that go on until somebody ends them, now",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)


class TooMany(Exception):
    """There are as many as there may be; the text says so."""


@dataclass(eq=False, slots=True)
class Stream:
    """One such answer: `end` is called once or more often, from another thread, and must not wait."""

    end: Callable[[], None]
    client: socket.socket | None  # unknown under Django's development server


class Streams:
    """The open ones of this process, at most `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._open: set[Stream] = set()

    def add(self, end: Callable[[], None], client: socket.socket | None) -> Stream:
        """Count one more; raises TooMany. Whoever has added it removes it."""
        stream = Stream(end, client)
        with self._lock:
            if len(self._open) >= self._most:
                raise TooMany(f"{self._most} clients follow the log already (MAX_FOLLOWERS); try again later")
            self._open.add(stream)
            FOLLOWERS.set(len(self._open))
        return stream

    def remove(self, stream: Stream) -> None:
        """It is over; harmless to repeat. From then on its `end` is not called."""
        with self._lock:
            self._open.discard(stream)
            FOLLOWERS.set(len(self._open))

    def holds(self, client: socket.socket) -> bool:
        """Whether such an answer goes to this client."""
        with self._lock:
            return any(stream.client is client for stream in self._open)

    def look_after(self, *, stopping: bool) -> None:
        """End those whose client has gone, or all."""
        with self._lock:
            for stream in self._open:
                if stopping or _has_gone(stream.client):
                    stream.end()


def _has_gone(client: socket.socket | None) -> bool:
    if client is None or client.fileno() < 0:
        return False
    poller = select.poll()
    poller.register(client, select.POLLRDHUP)
    return bool(poller.poll(0))


# Half of the threads at the most, so that there is always one for everybody else.
streams = Streams(min(env.integer("MAX_FOLLOWERS", 32), env.integer("GUNICORN_THREADS", 100, minimum=1) // 2))
