"""Calls that come together are worked on together."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from statuslog.batching import Batcher, Call, NotDone


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as pool:
        yield pool


class Doubler:
    """Doubles numbers, after `before`; fails for a negative one."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.before: Callable[[], None] = lambda: None

    def __call__(self, take: Callable[[], Sequence[Call[int, int]]]) -> None:
        calls = take()
        self.batches.append([call.item for call in calls])
        self.before()
        for call in calls:
            call.outcome = ValueError("negative") if call.item < 0 else call.item * 2


class Gate:
    """Holds whoever passes it until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self) -> None:
        self.entered.set()
        assert self.opened.wait(10)


def held(pool: ThreadPoolExecutor, batcher: Batcher[int, int], work: Doubler, *items: int) -> tuple[Gate, list]:
    """The first item is worked on and held, the others wait."""
    gate = work.before = Gate()
    calls: list[Future[int]] = [pool.submit(batcher, items[0])]
    assert gate.entered.wait(5)
    calls += [pool.submit(batcher, item) for item in items[1:]]
    deadline = time.monotonic() + 5
    while len(batcher._waiting) < len(items) - 1:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    return gate, calls


def test_a_lone_call_is_a_batch_of_one():
    work = Doubler()
    assert Batcher(work, most=10, patience=1)(21) == 42
    assert work.batches == [[21]]


def test_those_that_come_meanwhile_are_one_batch(pool: ThreadPoolExecutor):
    work = Doubler()
    gate, calls = held(pool, Batcher(work, most=10, patience=5), work, 0, 1, 2, 3)
    gate.opened.set()
    assert sorted(call.result(5) for call in calls) == [0, 2, 4, 6]
    assert [sorted(batch) for batch in work.batches] == [[0], [1, 2, 3]]


def test_many_threads_each_get_their_own(pool: ThreadPoolExecutor):
    batcher = Batcher(Doubler(), most=1000, patience=5)
    assert list(pool.map(batcher, range(2000))) == [2 * number for number in range(2000)]


def test_one_that_fails_does_not_spoil_the_others(pool: ThreadPoolExecutor):
    work = Doubler()
    gate, calls = held(pool, Batcher(work, most=10, patience=5), work, 0, -1, 2)
    gate.opened.set()
    assert isinstance(calls[1].exception(5), ValueError)
    assert calls[2].result(5) == 4


def test_an_error_of_the_work_reaches_all_of_the_batch(pool: ThreadPoolExecutor):
    work = Doubler()
    batcher = Batcher(work, most=10, patience=5)
    gate, calls = held(pool, batcher, work, 0, 1, 2)

    def broken() -> None:
        gate()
        raise ZeroDivisionError

    work.before = broken
    gate.opened.set()
    assert calls[0].result(5) == 0
    assert [type(call.exception(5)) for call in calls[1:]] == [ZeroDivisionError] * 2
    work.before = lambda: None
    assert batcher(1) == 2


def test_a_leader_that_dies_strands_nobody(pool: ThreadPoolExecutor):
    work = Doubler()
    batcher = Batcher(work, most=10, patience=5)
    gate = Gate()

    def dying() -> None:
        gate()
        work.before = lambda: None
        raise SystemExit

    work.before = dying
    first = pool.submit(batcher, 0)
    assert gate.entered.wait(5)
    others = [pool.submit(batcher, number) for number in (1, 2)]
    while len(batcher._waiting) < 2:
        time.sleep(0.002)
    gate.opened.set()
    assert isinstance(first.exception(5), SystemExit)
    assert [other.result(5) for other in others] == [2, 4]


def test_an_error_before_anything_was_taken_is_for_those_that_wait():
    def work(take: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Batcher[int, int](work, most=10, patience=1)(1)


def test_one_that_waits_too_long_is_withdrawn(pool: ThreadPoolExecutor):
    work = Doubler()
    batcher = Batcher(work, most=10, patience=0.1)
    gate, calls = held(pool, batcher, work, 0)
    with pytest.raises(NotDone, match=r"its turn did not come within 0\.1 s"):
        batcher(1)
    gate.opened.set()
    assert calls[0].result(5) == 0
    assert work.batches == [[0]]  # nor is it worked on behind its back
    assert batcher(2) == 4


def test_too_many_that_wait_are_turned_away(pool: ThreadPoolExecutor):
    work = Doubler()
    batcher = Batcher(work, most=2, patience=5)
    gate, calls = held(pool, batcher, work, 0, 1, 2)
    with pytest.raises(NotDone, match="2 requests wait already"):
        batcher(3)
    gate.opened.set()
    assert sorted(call.result(5) for call in calls) == [0, 2, 4]
