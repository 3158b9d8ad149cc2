"""Long readings and commits take turns now and then, so that SQLite can begin its write-ahead log anew.

It can only when a commit finds nobody reading what is older. Eight clients that read the whole log leave no such
moment between their pages, and the write-ahead log would grow for as long as they read: docs/adr/0017-reading-all.md.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

# Between two commits that wait for their turn: in that time the write-ahead log grows by a few MiB at the most.
EVERY = 0.25
# What a page takes and more; a commit does not wait longer, come what may.
PATIENCE = 0.5


class Turns:
    """Of this process: one page at a time, and from time to time no page beside a commit."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._reading = False
        self._commits = 0  # that wait for the page, or are under way
        self._last = time.monotonic()

    @contextmanager
    def page(self) -> Iterator[None]:
        """In the block a page of a long reading is read. One at a time: together they would not be quicker, and
        memory would grow with the number of readers."""
        with self._changed:
            self._changed.wait_for(lambda: not self._reading and not self._commits)
            self._reading = True
        try:
            yield
        finally:
            with self._changed:
                self._reading = False
                self._changed.notify_all()

    @contextmanager
    def commit(self) -> Iterator[None]:
        """In the block something is committed."""
        if time.monotonic() - self._last < EVERY:
            yield
            return
        with self._changed:
            self._commits += 1
            self._changed.wait_for(lambda: not self._reading, PATIENCE)
        try:
            yield
        finally:
            with self._changed:
                self._commits -= 1
                self._last = time.monotonic()
                self._changed.notify_all()


turns = Turns()
