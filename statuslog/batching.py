"""Natural batching: calls that come together are worked on together.

One of the callers leads: it works on all that wait by then, itself included, and hands the lead to one of
those that came meanwhile. Nobody waits for a timer or for another thread to wake up, so a lone call pays
nothing. Databases know it as group commit. It must not know what the work is.
"""

import math
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

from prometheus_client import Histogram

from statuslog.metrics import REGISTRY

Item = TypeVar("Item")
Held = TypeVar("Held")
Result = TypeVar("Result")


BATCH = Histogram(
    "statuslog_batch_size",
    "Requests whose records were kept together",
    buckets=(1, 2, 4, 8, 16, 32, 64),
    registry=REGISTRY,
)


class NotDone(Exception):
    """The work on an item was not begun, or nobody can say whether it was done; the text says which."""


@dataclass(slots=True, eq=False)
class _Call(Generic[Item, Result]):
    """One caller's item, and its outcome: a result, an error, or None as long as there is neither."""

    item: Item
    outcome: Result | Exception | None = None
    leads: bool = False
    wake: threading.Event = field(default_factory=threading.Event)


def _one(item: object) -> int:
    return 1


class Batcher(Generic[Item, Held, Result]):
    """Hands `work` the items of concurrent calls, one batch at a time.

    `enter` makes the context manager that a batch is worked on in (a lock, a transaction). A batch is taken once that
    is entered, so that those who come while the leader waits for it belong to the batch. `work` gets the items and what
    `enter` has given, and returns the outcome of each: a result, or an error for this item alone. Outcomes count when
    the context has ended without an error. An error is the outcome of all of the batch.

    `then` gets the items and results of a batch, and returns the results to answer with. The leader calls it when the
    next batch may begin, so several can be at it. It must have a deadline of its own.

    A batch is of as many items as wait, as long as the sum of their `size` is at most `largest`. At most `most` calls
    may wait, each for `patience` seconds; then they raise NotDone.
    """

    def __init__(
        self,
        enter: Callable[[], AbstractContextManager[Held]],
        work: Callable[[Sequence[Item], Held], Sequence[Result | Exception]],
        *,
        most: int,
        patience: float,
        then: Callable[[Sequence[Item], Sequence[Result]], Sequence[Result]] | None = None,
        size: Callable[[Item], int] = _one,
        largest: float = math.inf,
    ) -> None:
        self._enter = enter
        self._work = work
        self._then = then
        self._most = most
        self._patience = patience
        self._size = size
        self._largest = largest
        self._mutex = threading.Lock()  # guards the two below
        self._waiting: list[_Call[Item, Result]] = []
        self._led = False

    def __call__(self, item: Item) -> Result:
        """The result of the work on `item`; raises what the work raised, or NotDone."""
        call: _Call[Item, Result] = _Call(item)
        with self._mutex:
            if len(self._waiting) >= self._most:
                raise NotDone(f"{self._most:,} requests wait already")
            self._waiting.append(call)
            call.leads = not self._led
            self._led = True
        if not call.leads:
            self._wait(call)
        if call.leads:
            self._lead()
        if call.outcome is None:
            raise NotDone("the request that worked on this one has failed")
        if isinstance(call.outcome, Exception):
            raise call.outcome
        return call.outcome

    def _wait(self, call: _Call[Item, Result]) -> None:
        """Until the call is done or leads. A call that has waited too long is withdrawn: it will not be done."""
        if call.wake.wait(self._patience):
            return
        with self._mutex:
            if call in self._waiting and not call.leads:
                self._waiting.remove(call)
                call.outcome = NotDone(f"its turn did not come within {self._patience:.1f} s")
                return
        if call.outcome is not None:
            call.wake.wait()  # the work is done, and `then` ends by itself

    def _lead(self) -> None:
        calls: Sequence[_Call[Item, Result]] = ()
        try:
            try:
                with self._enter() as held:
                    calls = self._take()
                    outcomes = self._work([call.item for call in calls], held)
                for call, outcome in zip(calls, outcomes, strict=True):
                    call.outcome = outcome
            except Exception as error:
                calls = calls or self._take()
                for call in calls:
                    call.outcome = error
            finally:
                # Whatever has happened to this thread: the lead goes on, and nobody of the batch is left waiting.
                self._hand_on()
            self._go_on([call for call in calls if not isinstance(call.outcome, Exception)])
        finally:
            for call in calls:
                call.wake.set()
        BATCH.observe(len(calls))

    def _take(self) -> Sequence[_Call[Item, Result]]:
        """The calls that have waited longest, as many as a batch may have, and at least one."""
        with self._mutex:
            count = size = 0
            for call in self._waiting:
                size += self._size(call.item)
                if count and size > self._largest:
                    break
                count += 1
            taken, self._waiting = self._waiting[:count], self._waiting[count:]
            return taken

    def _hand_on(self) -> None:
        with self._mutex:
            self._led = bool(self._waiting)
            if self._led:
                self._waiting[0].leads = True
                self._waiting[0].wake.set()

    def _go_on(self, calls: Sequence[_Call[Item, Result]]) -> None:
        if self._then is None or not calls:
            return
        try:
            results = self._then([call.item for call in calls], [cast(Result, call.outcome) for call in calls])
            for call, result in zip(calls, results, strict=True):
                call.outcome = result
        except Exception as error:
            for call in calls:
                call.outcome = error
