"""Pages of long readings and commits, in turn."""

import threading
import time
from collections.abc import Iterator

import pytest

from logs import turns
from logs.turns import Turns


@pytest.fixture
def both() -> Turns:
    """A commit is due for its turn."""
    both = Turns()
    both._last = time.monotonic() - turns.EVERY
    return both


@pytest.fixture
def started() -> Iterator[list[threading.Thread]]:
    threads: list[threading.Thread] = []
    yield threads
    for thread in threads:
        thread.join()


def test_one_page_at_a_time(both: Turns, started: list[threading.Thread]):
    inside: list[int] = []
    most: list[int] = []

    def read() -> None:
        for _ in range(50):
            with both.page():
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    started += [threading.Thread(target=read) for _ in range(4)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    assert (len(most), max(most)) == (200, 1)


def test_a_commit_waits_for_the_page_and_the_next_page_for_the_commit(both: Turns, started: list[threading.Thread]):
    order: list[str] = []

    def commit() -> None:
        with both.commit():
            order.append("commit")

    def page() -> None:
        with both.page():
            order.append("next page")

    with both.page():
        started += [threading.Thread(target=commit), threading.Thread(target=page)]
        started[0].start()
        while not both._commits:
            time.sleep(0.001)
        started[1].start()
        order.append("page")
    for thread in started:
        thread.join()
    assert order == ["page", "commit", "next page"]


def test_the_next_commit_does_not_wait(both: Turns):
    with both.commit():
        pass
    with both.page(), both.commit():
        pass


def test_no_commit_waits_for_long(both: Turns, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(turns, "PATIENCE", 0.05)
    with both.page(), both.commit():
        pass
