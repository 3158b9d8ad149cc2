"""The path of a record into both stores.

One lock, on vstorage, is held over "store, then append": so both stores get the records in one order. Requests
that come together are kept together. What a store could not take is brought there by `delivery.py`.
"""

import logging
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Protocol

from prometheus_client import Counter

from statuslog import probe, record, tracing
from statuslog.batching import Batcher, NotDone
from statuslog.metrics import REGISTRY
from statuslog.missed import Missed
from statuslog.record import AHEAD, EPOCH, MICROSECOND, LineStyle, Measurement, Record, RecordError
from statuslog.storage_client import StorageClient, StorageError
from statuslog.verdict import Verdict
from statuslog.vstorage import LockedFile, Vstorage, VstorageError

log = logging.getLogger(__name__)

# A /status takes 3 s at the most: these for the own record, the rest for service2, which needs as long.
# Who waits for the lock waits longer than anybody holds it, so that a storage that hangs costs no request its record.
LOCK_TIMEOUT = 0.8
STORE_TIMEOUT = 0.4
CATCH_UP_TIMEOUT = 0.2
CATCH_UP_RECORDS = 100
# One's turn comes after the batch that is under way, which may take all of both times; the rest is for threads to wake
# up in, on a machine that is busy.
TURN_TIMEOUT = 1.4
MAX_WAITING = 1000
LARGEST_BATCH = 1000  # records: storage takes as many within STORE_TIMEOUT, and in one body

KEPT = Counter(
    "statuslog_records",
    "Records that were kept, by what became of them in each store",
    ["storage", "vstorage"],
    registry=REGISTRY,
)
for _storage in ("stored", "queued"):
    for _vstorage in ("written", "failed"):
        KEPT.labels(_storage, _vstorage)  # from 0 on, so that Prometheus sees the first one as a change
NOT_KEPT = Counter("statuslog_records_not_kept", "Records that no store could keep: /status was 503", registry=REGISTRY)


class NotKept(Exception):
    """The record is in no store that lasts; the text says why. Nothing may be claimed of it."""


class _Followed(Exception):
    """storage finds the records too early: they follow a newest time that is ahead of this service's clock."""


class OutboxError(Exception):
    """The outbox cannot take the records; the text says why."""


class Outbox(Protocol):
    """What the recorder needs of the outbox (statuslog/outbox/store.py)."""

    def put(self, records: Sequence[Record]) -> None:
        """Keep the records, all or none; when it returns they are on the disk. Raises OutboxError."""

    def is_empty(self) -> bool:
        """Nothing waits in it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A record and what has become of it in each store."""

    record: Record
    storage: str  # "stored" or "queued"
    vstorage: str  # "written" or "failed"
    companion: Any = None  # what `Recorder.then` has found for it

    @property
    def delivery(self) -> str:
        """The value of the header `Record-Delivery`."""
        return f"storage={self.storage}, vstorage={self.vstorage}"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What one request wants: so many records. It has begun at that time of the monotonic clock."""

    count: int
    begun: float
    request_ids: Sequence[str]  # its own, and those of the requests that it asks for


# Gets the number of records that were kept together, and when the oldest of their requests has begun.
Then = Callable[[int, float], Sequence[Any]]


class Recorder:
    """Makes and keeps the records of one service. Safe to use from many threads and processes."""

    def __init__(
        self,
        service: str,
        vstorage: Vstorage,
        storage: StorageClient,
        outbox: Outbox,
        missed: Missed,
        style: LineStyle,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.service = service
        self.vstorage = vstorage
        self.storage = storage
        self.outbox = outbox
        self.missed = missed
        self.style = style
        self.instance = socket.gethostname()
        # After a failed try nobody tries again until the delivery has found storage ready: no request
        # queues behind a dead peer.
        self.storage_down = False
        self.vstorage_down = False  # likewise: what the file lacks is left to the delivery
        self.on_trouble: Callable[[], None] = lambda: None  # wakes the delivery
        self.now = now
        # Finds a companion for each record of a batch: once for all of them, when the next batch may begin.
        self.then: Then | None = None
        self._newest = EPOCH
        self._batcher: Batcher[_Wanted, LockedFile | None, Sequence[Kept]] = Batcher(
            self._locked,
            self._keep,
            then=self._find_companions,
            most=MAX_WAITING,
            patience=TURN_TIMEOUT,
            size=lambda wanted: wanted.count,
            largest=LARGEST_BATCH,
        )

    def keep(self) -> Kept:
        """Make a record of this moment and keep it in both stores; raises NotKept."""
        return self.keep_together(1)[0]

    def keep_together(self, count: int) -> Sequence[Kept]:
        """The same with so many records, 1 to LARGEST_BATCH: all or none of them are kept."""
        trace = tracing.current()
        request_ids = (trace.request_id, *trace.batch) if trace else ()
        try:
            return self._batcher(_Wanted(count, time.monotonic(), request_ids))
        except (NotDone, NotKept) as error:
            NOT_KEPT.inc(count)
            raise NotKept(str(error)) from error

    @contextmanager
    def _locked(self) -> Iterator[LockedFile | None]:
        """The file with its lock held; None where it cannot be opened. Raises NotKept."""
        with ExitStack() as stack:
            try:
                file = stack.enter_context(self.vstorage.locked(LOCK_TIMEOUT))
            except VstorageError as error:
                if error.reason == "vstorage_locked":
                    raise NotKept(str(error)) from error
                log.warning("%s", error)
                # Without the file there is no lock; the log has the records, and the file gets them later from there.
                file = None
            yield file

    def _keep(self, requests: Sequence[_Wanted], file: LockedFile | None) -> list[Sequence[Kept] | Exception]:
        count = sum(wanted.count for wanted in requests)
        if file and file.behind and not self.vstorage_down:
            self.catch_up(file, CATCH_UP_RECORDS, CATCH_UP_TIMEOUT)
        times = file.begin(self.now(), count) if file else self._times(count)
        writable = file is not None and file.is_in_order
        measurement = probe.measure()  # once: what came together shows the same moment
        records = [self._make(measurement, time) for time in times]
        tracing.note_batch(name for wanted in requests for name in wanted.request_ids)
        try:
            storage = self._store(records, file)
        except _Followed:
            if file is None:  # never: without the file nothing is followed
                raise
            # The file's newest time is of a clock that was ahead, and the log knows nothing of it: not after that one.
            file.forget_newest(self.now())
            times, writable = file.begin(self.now(), count), False
            records = [self._make(measurement, time) for time in times]
            storage = self._store(records, file)
        vstorage = self._append(records, file) if file and writable else "failed"
        if vstorage == "failed":
            # Also when the file is open: on a full disk it may not take the note that is kept with it.
            self._note_missed(times[0])
        if storage == "queued" or vstorage == "failed":
            self.on_trouble()
        KEPT.labels(storage, vstorage).inc(count)
        kept = iter([Kept(made, storage, vstorage) for made in records])
        return [list(islice(kept, wanted.count)) for wanted in requests]

    def _find_companions(self, requests: Sequence[_Wanted], kept: Sequence[Sequence[Kept]]) -> Sequence[Sequence[Kept]]:
        if self.then is None:
            return kept
        found = iter(self.then(sum(map(len, kept)), min(wanted.begun for wanted in requests)))
        return [[replace(one, companion=next(found)) for one in some] for some in kept]

    def _note_missed(self, since: datetime) -> None:
        try:
            self.missed.note(since)
        except OSError as error:
            log.error("cannot note that vstorage lacks records since %s: %s", since, error)

    def _times(self, count: int) -> list[datetime]:
        """As `LockedFile.begin`, as far as this process knows."""
        first = max(self.now(), self._newest + MICROSECOND)
        self._newest = first + (count - 1) * MICROSECOND
        return [first + number * MICROSECOND for number in range(count)]

    def _make(self, measurement: Measurement, timestamp: datetime) -> Record:
        try:
            return record.make(
                service=self.service,
                instance=self.instance,
                timestamp=timestamp,
                measurement=measurement,
                style=self.style,
            )
        except RecordError as error:
            raise NotKept(str(error)) from error

    def _store(self, records: Sequence[Record], file: LockedFile | None) -> str:
        """Have the records stored, or queue them; raises NotKept, _Followed."""
        reason = "storage was down a moment ago"
        if not self.storage_down:
            try:
                self.storage.store(records, STORE_TIMEOUT, fence=records[0].timestamp)
                return "stored"
            except StorageError as error:
                if error.verdict == Verdict.EARLY and file and records[0].timestamp > self.now() + AHEAD:
                    raise _Followed from error
                reason = f"storage did not take the record ({error})"
                self.storage_down = not error.is_about_the_request
                log.warning("%s; it goes to the outbox", reason)
        if file:
            file.set_waiting(self.service, True)
        try:
            self.outbox.put(records)
        except OutboxError as error:
            raise NotKept(f"{reason}; {error}") from error
        return "queued"

    def _append(self, records: Sequence[Record], file: LockedFile) -> str:
        try:
            file.append([made.line for made in records])
            return "written"
        except VstorageError as error:
            log.warning("%s; its lines follow from the log", error)
            return "failed"

    def catch_up(self, file: LockedFile, count: int, timeout: float) -> bool:
        """Write the next `count` records that the file lacks from the log; False when that cannot be done now.

        storage has `timeout` seconds for both questions that this takes.
        Only when no outbox holds a part of it, and behind a fence: a request of one who has died in the middle
        must not reach the log after we have read it.
        """
        if file.behind is None:
            return True
        if self.storage_down or file.waiting() or file.is_rewritten:
            return False
        try:
            started = time.monotonic()
            self.storage.set_fence(file.new_time(self.now()), timeout)
            found = self.storage.records(file.behind.since, count, timeout - (time.monotonic() - started))
            while len(found) == count and found[0].timestamp == found[-1].timestamp:
                count *= 4  # more of one time than fit on a page: imported lines know whole seconds only
                found = self.storage.records(file.behind.since, count, timeout - (time.monotonic() - started))
            file.catch_up([(made.timestamp, made.line) for made in _whole_times(found, count)])
            if len(found) < count:
                file.catch_up([])
        except (StorageError, VstorageError) as error:
            self.vstorage_down = True
            log.warning("vstorage stays behind the log: %s", error)
            return False
        self.vstorage_down = False
        return True


def _whole_times(found: Sequence[Record], count: int) -> Sequence[Record]:
    """Without the last ones of a full page of `count`, as more records of their time may follow on the next."""
    if len(found) < count:
        return found
    return [made for made in found if made.timestamp < found[-1].timestamp]
