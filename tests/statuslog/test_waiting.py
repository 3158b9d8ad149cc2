"""Connections that are waited for together."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from selectors import EVENT_READ, DefaultSelector
from typing import Any

import pytest

from statuslog.waiting import Waiting


class Pair:
    """A connection as far as it is waited for, and its client."""

    def __init__(self, stack: ExitStack) -> None:
        self.sock, self.client = (stack.enter_context(end) for end in socket.socketpair())


@pytest.fixture
def poller() -> Iterator[DefaultSelector]:
    with DefaultSelector() as poller:
        yield poller


@pytest.fixture
def pairs() -> Iterator[Any]:
    with ExitStack() as stack:
        yield [Pair(stack) for _ in range(3)]


def dispatch(poller: DefaultSelector) -> None:
    for key, _ in poller.select(1):
        key.data(key.fileobj)


def test_one_that_lost_its_place_to_another_is_not_ready_any_more(poller: DefaultSelector, pairs: Any):
    came: list[Any] = []

    def ready(pair: Any) -> None:
        came.append(pair)
        for other in pairs:
            waiting.remove(other)

    waiting = Waiting(poller, EVENT_READ, ready)
    for pair in pairs:
        waiting.add(pair, 10)
        pair.client.send(b"x")
    dispatch(poller)
    assert len(came) == 1
    assert len(waiting) == 0


def test_the_longest_come_first_and_only_those_that_waited_long_enough(poller: DefaultSelector, pairs: Any):
    waiting = Waiting(poller, EVENT_READ, lambda _: None)
    for pair, held in zip(pairs, (5, 0, 7), strict=True):
        waiting.add(pair, 10, held)
    assert list(waiting.longest(1)) == []
    assert list(waiting.longest(0)) == pairs
    assert list(waiting.longest(0, holding=True)) == [pairs[0], pairs[2]]
    assert waiting.bytes == 12
    waiting.hold(pairs[2], 1)
    waiting.remove(pairs[0])
    assert waiting.bytes == 1


def test_one_is_overdue_when_its_time_is_over(poller: DefaultSelector, pairs: Any):
    waiting = Waiting(poller, EVENT_READ, lambda _: None)
    for pair in pairs:
        waiting.add(pair, 10)
    waiting.limit(pairs[1], 0)
    time.sleep(0.01)
    assert waiting.overdue() == [pairs[1]]
