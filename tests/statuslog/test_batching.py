"""Calls that come together are worked on together."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest

from statuslog.batching import Batcher, NotDone


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as pool:
        yield pool


class Doubler:
    """Doubles numbers, after `before`; fails for a negative one."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.before: Callable[[], None] = lambda: None

    def __call__(self, items: Sequence[int], held: None) -> list[int | Exception]:
        self.batches.append(list(items))
        self.before()
        return [ValueError("negative") if item < 0 else item * 2 for item in items]


def doubling(work: Doubler, *, most: int = 10, patience: float = 5, **options: Any) -> Batcher[int, None, int]:
    return Batcher(nullcontext, work, most=most, patience=patience, **options)


class Gate:
    """Holds whoever passes it until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self) -> None:
        self.entered.set()
        assert self.opened.wait(10)


def until_they_wait(batcher: Batcher[Any, Any, Any], count: int) -> None:
    """Return when so many calls wait for their batch."""
    deadline = time.monotonic() + 5
    while len(batcher._waiting) < count:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def held(pool: ThreadPoolExecutor, batcher: Batcher[int, None, int], work: Doubler, *items: int) -> tuple[Gate, list]:
    """The first item is worked on and held, the others wait."""
    gate = work.before = Gate()
    calls: list[Future[int]] = [pool.submit(batcher, items[0])]
    assert gate.entered.wait(5)
    calls += [pool.submit(batcher, item) for item in items[1:]]
    until_they_wait(batcher, len(items) - 1)
    return gate, calls


def test_a_lone_call_is_a_batch_of_one():
    work = Doubler()
    assert doubling(work)(21) == 42
    assert work.batches == [[21]]


def test_those_that_come_meanwhile_are_one_batch(pool: ThreadPoolExecutor):
    work = Doubler()
    gate, calls = held(pool, doubling(work), work, 0, 1, 2, 3)
    gate.opened.set()
    assert sorted(call.result(5) for call in calls) == [0, 2, 4, 6]
    assert [sorted(batch) for batch in work.batches] == [[0], [1, 2, 3]]


def test_many_threads_each_get_their_own(pool: ThreadPoolExecutor):
    batcher = doubling(Doubler(), most=1000)
    assert list(pool.map(batcher, range(2000))) == [2 * number for number in range(2000)]


def test_one_that_fails_does_not_spoil_the_others(pool: ThreadPoolExecutor):
    work = Doubler()
    gate, calls = held(pool, doubling(work), work, 0, -1, 2)
    gate.opened.set()
    assert isinstance(calls[1].exception(5), ValueError)
    assert calls[2].result(5) == 4


def test_an_error_of_the_work_reaches_all_of_the_batch(pool: ThreadPoolExecutor):
    work = Doubler()
    batcher = doubling(work)
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
    batcher = doubling(work)
    gate = Gate()

    def dying() -> None:
        gate()
        work.before = lambda: None
        raise SystemExit

    work.before = dying
    first = pool.submit(batcher, 0)
    assert gate.entered.wait(5)
    others = [pool.submit(batcher, number) for number in (1, 2)]
    until_they_wait(batcher, 2)
    gate.opened.set()
    assert isinstance(first.exception(5), SystemExit)
    assert [other.result(5) for other in others] == [2, 4]


def test_an_error_on_entering_is_for_those_that_wait(pool: ThreadPoolExecutor):
    work = Doubler()
    gate = Gate()

    @contextmanager
    def enter() -> Iterator[None]:
        gate()
        raise ZeroDivisionError
        yield

    batcher = Batcher(enter, work, most=10, patience=5)
    calls = [pool.submit(batcher, 1)]
    assert gate.entered.wait(5)
    calls.append(pool.submit(batcher, 2))
    until_they_wait(batcher, 2)
    gate.opened.set()
    assert [type(call.exception(5)) for call in calls] == [ZeroDivisionError] * 2
    assert work.batches == []


def test_an_outcome_counts_when_the_context_has_ended():
    @contextmanager
    def enter() -> Iterator[None]:
        yield
        raise OSError("the commit has failed")

    with pytest.raises(OSError, match="the commit has failed"):
        Batcher(enter, Doubler(), most=10, patience=1)(1)


def test_a_batch_is_taken_once_it_is_entered(pool: ThreadPoolExecutor):
    work, gate = Doubler(), Gate()

    @contextmanager
    def enter() -> Iterator[str]:
        gate()
        yield "held"

    held: list[str] = []

    def noting(items: Sequence[int], what: str) -> list[int | Exception]:
        held.append(what)
        return work(items, None)

    batcher = Batcher(enter, noting, most=10, patience=5)
    calls = [pool.submit(batcher, 1)]
    assert gate.entered.wait(5)
    calls.append(pool.submit(batcher, 2))
    until_they_wait(batcher, 2)
    gate.opened.set()
    assert [call.result(5) for call in calls] == [2, 4]
    assert (work.batches, held) == ([[1, 2]], ["held"])


def test_a_batch_is_no_larger_than_the_largest(pool: ThreadPoolExecutor):
    work = Doubler()
    gate, calls = held(pool, doubling(work, size=lambda item: item, largest=5), work, 0, 3, 2, 1, 9)
    gate.opened.set()
    assert [call.result(5) for call in calls] == [0, 6, 4, 2, 18]
    assert all(sum(batch) <= 5 or len(batch) == 1 for batch in work.batches)
    assert len(work.batches) < 5


def test_what_follows_a_batch_is_done_once_for_all_of_it(pool: ThreadPoolExecutor):
    seen: list[tuple[list[int], list[int]]] = []

    def then(items: Sequence[int], results: Sequence[int]) -> list[int]:
        seen.append((list(items), list(results)))
        return [result + 1 for result in results]

    work = Doubler()
    gate, calls = held(pool, doubling(work, then=then), work, 0, 1, -2, 3)
    gate.opened.set()
    assert [call.exception(5) or call.result() for call in (calls[0], calls[1], calls[3])] == [1, 3, 7]
    assert isinstance(calls[2].exception(5), ValueError)
    assert [(sorted(items), sorted(results)) for items, results in seen] == [([0], [0]), ([1, 3], [2, 6])]


def test_the_next_batch_does_not_wait_for_what_follows_the_last(pool: ThreadPoolExecutor):
    following = Gate()

    def then(items: Sequence[int], results: Sequence[int]) -> Sequence[int]:
        if 0 in items:
            following()
        return results

    work = Doubler()
    batcher = doubling(work, patience=0.2, then=then)
    first = pool.submit(batcher, 0)
    assert following.entered.wait(5)
    assert batcher(1) == 2
    following.opened.set()
    assert first.result(5) == 0


def test_a_call_that_is_worked_on_waits_longer_for_what_follows_than_for_its_turn(pool: ThreadPoolExecutor):
    def then(items: Sequence[int], results: Sequence[int]) -> Sequence[int]:
        time.sleep(0.3)
        return results

    work = Doubler()
    batcher = doubling(work, patience=0.1, then=then)
    entered = Gate()
    work.before = entered
    first = pool.submit(batcher, 0)
    assert entered.entered.wait(5)
    others = [pool.submit(batcher, number) for number in (1, 2)]
    until_they_wait(batcher, 2)
    entered.opened.set()
    assert [first.result(5), *(other.result(5) for other in others)] == [0, 2, 4]


def test_an_error_of_what_follows_reaches_all_of_the_batch(pool: ThreadPoolExecutor):
    def then(items: Sequence[int], results: Sequence[int]) -> Sequence[int]:
        raise ZeroDivisionError

    work = Doubler()
    gate, calls = held(pool, doubling(work, then=then), work, 0, -1)
    gate.opened.set()
    assert [type(call.exception(5)) for call in calls] == [ZeroDivisionError, ValueError]


def test_one_that_waits_too_long_is_withdrawn(pool: ThreadPoolExecutor):
    work = Doubler()
    batcher = doubling(work, patience=0.1)
    gate, calls = held(pool, batcher, work, 0)
    with pytest.raises(NotDone, match=r"its turn did not come within 0\.1 s"):
        batcher(1)
    gate.opened.set()
    assert calls[0].result(5) == 0
    assert work.batches == [[0]]  # nor is it worked on behind its back
    assert batcher(2) == 4


def test_too_many_that_wait_are_turned_away(pool: ThreadPoolExecutor):
    work = Doubler()
    batcher = doubling(work, most=2)
    gate, calls = held(pool, batcher, work, 0, 1, 2)
    with pytest.raises(NotDone, match="2 requests wait already"):
        batcher(3)
    gate.opened.set()
    assert sorted(call.result(5) for call in calls) == [0, 2, 4]
