"""Natural batching: calls that come together are worked on together.

One of the callers leads: it works on all that wait by then, itself included, and hands the lead to one of
those that came meanwhile. Nobody waits for a timer or for another thread to wake up, so a lone call pays
nothing. It must not know what the work is.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from prometheus_client import Histogram

from statuslog.metrics import REGISTRY

Item = TypeVar("Item")
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
class Call(Generic[Item, Result]):
    """One caller's item, and what has become of it: `outcome` is set by the work, to a result or an error."""

    item: Item
    outcome: Result | Exception | None = None
    _leads: bool = False
    _wake: threading.Event = field(default_factory=threading.Event)


Work = Callable[[Callable[[], Sequence[Call[Item, Result]]]], None]


class Batcher(Generic[Item, Result]):
    """Hands `work` the items of concurrent calls, one batch at a time.

    `work` is called with a function that takes all calls waiting at that moment, so that it can first wait for
    what it needs (a lock) and take the calls after. It sets the outcome of each; an error that it raises is the
    outcome of those that it took, and of those waiting if it took none. At most `most` calls may wait, each for
    `patience` seconds; then they raise NotDone.
    """

    def __init__(self, work: Work[Item, Result], *, most: int, patience: float) -> None:
        self._work = work
        self._most = most
        self._patience = patience
        self._mutex = threading.Lock()  # guards the two below
        self._waiting: list[Call[Item, Result]] = []
        self._led = False

    def __call__(self, item: Item) -> Result:
        """The result of the work on `item`; raises what the work raised, or NotDone."""
        call: Call[Item, Result] = Call(item)
        with self._mutex:
            if len(self._waiting) >= self._most:
                raise NotDone(f"{self._most:,} requests wait already")
            self._waiting.append(call)
            call._leads = not self._led
            self._led = True
        if not call._leads:
            self._wait(call)
        if call._leads:
            self._lead()
        if call.outcome is None:
            raise NotDone("the request that worked on this one has failed")
        if isinstance(call.outcome, Exception):
            raise call.outcome
        return call.outcome

    def _wait(self, call: Call[Item, Result]) -> None:
        """Until the call is done or leads. One that has waited too long is withdrawn: it will not be done."""
        if call._wake.wait(self._patience):
            return
        with self._mutex:
            if call in self._waiting and not call._leads:
                self._waiting.remove(call)
                call.outcome = NotDone(f"its turn did not come within {self._patience:.1f} s")

    def _lead(self) -> None:
        taken: list[Call[Item, Result]] = []

        def take() -> Sequence[Call[Item, Result]]:
            with self._mutex:
                taken.extend(self._waiting)
                self._waiting.clear()
            return taken

        try:
            self._work(take)
        except Exception as error:
            for call in taken or take():
                call.outcome = call.outcome or error
        finally:
            # Whatever has happened to this thread: nobody of the batch is left waiting, and the lead goes on.
            for call in taken:
                call._wake.set()
            with self._mutex:
                self._led = bool(self._waiting)
                if self._led:
                    self._waiting[0]._leads = True
                    self._waiting[0]._wake.set()
        if taken:
            BATCH.observe(len(taken))
