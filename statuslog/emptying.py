"""Emptying the outbox into storage: what becomes of each record, by storage's verdict on it.

A record that storage does not take stays in the outbox, and is no longer in the way of the others. vstorage, the copy
of the log, gives up its line until then: `Missed` notes since when the file is to be written from the log again.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from statuslog.record import AHEAD, Record
from statuslog.recorder import Outbox, Recorder
from statuslog.storage_client import StorageError
from statuslog.verdict import Verdict

log = logging.getLogger(__name__)

BATCH = 200
STORE_TIMEOUT = 2.0
AGAIN = timedelta(seconds=5)  # at the earliest, when storage's clock is behind ours
LARGE_AGAIN = timedelta(minutes=1)  # MAX_BODY_BYTES may have been changed


class DeliveredOutbox(Outbox, Protocol):
    """What the delivery needs of the outbox (statuslog/outbox/store.py)."""

    def oldest(self, count: int) -> Mapping[int, Record]:
        """Up to `count` records that wait and were never sent, oldest first, by their rows."""

    def late(self, count: int) -> Mapping[int, Record]:
        """Up to `count` records that are to be sent again now, by their rows; vstorage may lack their lines."""

    def remove(self, rows: Sequence[int]) -> None:
        """Forget records that storage has."""

    def hold(self) -> None:
        """Bring back what waited in a file that was removed or replaced."""

    def check(self) -> None:
        """Raise OutboxError if records cannot be read or put now."""

    def counts(self) -> Mapping[str, int]:
        """How many records wait, and how many were refused; nothing if that cannot be read."""

    def refuse(self, row: int, reason: str) -> None:
        """Set a record aside that storage will never take."""

    def defer(self, row: int, due: datetime) -> None:
        """Keep a record that is not to be sent before that time."""

    def has_early(self) -> bool:
        """A record waits in it whose time has not come yet."""


def empty(recorder: Recorder, outbox: DeliveredOutbox) -> None:
    """Send what is to be sent now; raises StorageError when storage cannot take records now."""
    while waiting := outbox.oldest(BATCH):
        _send(recorder, outbox, waiting)
    while waiting := outbox.late(BATCH):
        _send(recorder, outbox, waiting, late=True)


def _send(recorder: Recorder, outbox: DeliveredOutbox, waiting: Mapping[int, Record], *, late: bool = False) -> None:
    """Send the records in one request, or, if storage does not take just these, each half by itself."""
    try:
        recorder.storage.store(list(waiting.values()), STORE_TIMEOUT)
    except StorageError as error:
        if not error.is_about_the_request:
            raise
        if len(waiting) == 1:
            _keep(recorder, outbox, *next(iter(waiting.items())), error)
            return
        rows = list(waiting.items())
        for half in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
            _send(recorder, outbox, dict(half), late=late)
    else:
        if late:
            recorder.missed.note(min(made.timestamp for made in waiting.values()))
        outbox.remove(list(waiting))


def _keep(recorder: Recorder, outbox: DeliveredOutbox, row: int, made: Record, error: StorageError) -> None:
    """Keep the one record that storage has not taken."""
    now = datetime.now(UTC)
    recorder.missed.note(made.timestamp)  # first: who is killed here only writes the file once more
    match error.verdict:
        case Verdict.REFUSED:
            log.error("storage refuses the record %s for good, it stays in the outbox: %s", made.id, error)
            outbox.refuse(row, str(error))
        case Verdict.EARLY:
            log.warning("the record %s stays in the outbox until its time has come: %s", made.id, error)
            outbox.defer(row, max(made.timestamp - AHEAD, now + AGAIN))
        case Verdict.LARGE:
            log.error("the record %s stays in the outbox, as storage's MAX_BODY_BYTES is too low: %s", made.id, error)
            outbox.defer(row, now + LARGE_AGAIN)
        case _:  # fenced, which no record from an outbox is
            raise error
