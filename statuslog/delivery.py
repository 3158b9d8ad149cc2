"""Brings to the stores what they could not take: the outbox to storage, the log's records to vstorage.

One background thread in each process of a service; of several processes one does the work. It sleeps until
something waits, asks whether storage is ready again, and rests longer after each failure.
"""

import logging
import os
import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from statuslog import emptying, filelock, rewrite, tracing
from statuslog.emptying import DeliveredOutbox
from statuslog.recorder import LOCK_TIMEOUT, OutboxError, Recorder
from statuslog.storage_client import StorageError
from statuslog.vstorage import LockedFile, VstorageError

log = logging.getLogger(__name__)

# Under the lock, so a page must take less than a request is ready to wait for the lock.
CATCH_UP_RECORDS = 100
CATCH_UP_TIMEOUT = 0.3
READY_TIMEOUT = 1.0
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0
LOOK_AROUND = 5.0  # another process of the service may have filled the outbox, and died


class Delivery:
    """The background work of `recorder`; `lock` is a file of the service by which one process is chosen."""

    def __init__(self, recorder: Recorder, outbox: DeliveredOutbox, lock: Path) -> None:
        self._recorder = recorder
        self._outbox = outbox
        self._lock = lock
        self._trouble = threading.Event()
        recorder.on_trouble = self._trouble.set

    def start(self) -> None:
        """Begin the background work; it ends with the process."""
        threading.Thread(target=self._run, name="delivery", daemon=True).start()

    def problems(self) -> list[str]:
        """What keeps the records from getting to both stores now, as the names of /readyz."""
        found = []
        try:
            self._recorder.vstorage.check()
        except VstorageError as error:
            found.append(error.reason)
        try:
            self._outbox.check()
            if self._outbox.has_early() and "clock_ahead" not in found:
                found.append("clock_ahead")
        except OutboxError:
            found.append("outbox_unusable")
        if not self._recorder.storage.is_ready(READY_TIMEOUT):
            found.append("storage_unreachable")
        return found

    def facts(self) -> dict[str, Any]:
        """What waits in the outbox, and what storage has refused for good."""
        return {"outbox": self._outbox.counts()}

    def outbox_state(self) -> Iterator[Metric]:
        """The same as metrics."""
        outbox = GaugeMetricFamily("statuslog_outbox_records", "Records in the outbox", labels=["state"])
        for state, count in self._outbox.counts().items():
            outbox.add_metric([state], count)
        yield outbox
        ages = [datetime.now(UTC) - waiting.timestamp for waiting in self._outbox.oldest(1).values()]
        age = max((age.total_seconds() for age in ages), default=0.0)
        yield GaugeMetricFamily("statuslog_outbox_oldest_seconds", "Age of the oldest record that waits, or 0", age)

    def vstorage_state(self) -> Iterator[Metric]:
        """Whether vstorage can be written, and its size."""
        try:
            self._recorder.vstorage.check()
            ready = True
        except VstorageError:
            ready = False
        yield GaugeMetricFamily("statuslog_vstorage_ready", "1 if vstorage can be written and lacks nothing", ready)
        size = self._recorder.vstorage.path.stat().st_size
        yield GaugeMetricFamily("statuslog_vstorage_bytes", "The size of vstorage", size)

    def _run(self) -> None:
        self._outbox.counts()  # from now on this thread has the file open, wherever somebody moves it
        pause = FIRST_PAUSE
        while True:
            done = False
            with tracing.background():
                try:
                    done = self.deliver()
                except Exception:
                    log.exception("the delivery has failed; it will be tried again")
            if done:
                pause = FIRST_PAUSE
                self._trouble.wait(LOOK_AROUND)
                self._trouble.clear()
            else:
                # Jitter, so that two services do not ask a storage that comes back at the same moments.
                threading.Event().wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
                pause = min(2 * pause, LONGEST_PAUSE)

    def deliver(self) -> bool:
        """Bring what waits to the stores as far as that is possible now; True when nothing waits any more."""
        self._outbox.hold()
        if self._recorder.storage_down:
            if not self._recorder.storage.is_ready(READY_TIMEOUT):
                return False
            self._recorder.storage_down = False
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not filelock.try_lock(descriptor):
                return True  # another process of this service is at it
            return self._empty_outbox() and self._mend_vstorage() and self._follow_editions()
        finally:
            os.close(descriptor)

    def _empty_outbox(self) -> bool:
        try:
            emptying.empty(self._recorder, self._outbox)
        except StorageError as error:
            self._recorder.storage_down = True
            log.warning("the outbox stays filled: %s", error)
            return False
        return True

    def _mend_vstorage(self) -> bool:
        """Tell the file that our outbox is empty, and write what it lacks; True when it lacks nothing."""
        missed = self._recorder.missed.since()
        try:
            if missed is None and not self._is_needed():
                return True
            # A page at a time: requests get the lock in between.
            behind = True
            while behind:
                with self._recorder.vstorage.locked(LOCK_TIMEOUT) as file:
                    if not self._mend(file, missed):
                        return False
                    behind, missed = file.behind is not None, None
        except VstorageError as error:
            log.warning("vstorage cannot be mended: %s", error)
            return False
        return True

    def _follow_editions(self) -> bool:
        """Write the file anew when the log's past has changed. Always True: what fails is looked at again soon."""
        try:
            if copied := rewrite.follow(self._recorder, self._lock.parent):
                log.info("vstorage was written again, as the log is of another edition")
                if copied.aside:
                    log.warning("what vstorage alone had was kept aside in %s", copied.aside)
        except rewrite.RewriteError as error:
            log.debug("vstorage was not written anew: %s", error)
        return True

    def _mend(self, file: LockedFile, missed: datetime | None) -> bool:
        """One page; False when it cannot be written now."""
        if not self._outbox.is_empty():
            return False  # filled again, before we had the lock
        file.set_waiting(self._recorder.service, False)
        if missed is not None:
            file.fall_behind(missed)
            self._recorder.missed.clear()
        return self._recorder.catch_up(file, CATCH_UP_RECORDS, CATCH_UP_TIMEOUT)

    def _is_needed(self) -> bool:
        with self._recorder.vstorage.locked(LOCK_TIMEOUT) as file:
            return file.behind is not None or self._recorder.service in file.waiting()
