"""The locked append to vstorage, the text file that two services share.

The lock is flock(2) on the file itself: it excludes threads, processes and, on one host, containers, and the
kernel releases it with the process that held it. What all who append must know of the file is kept with it, in
an extended attribute (`State`): docs/adr/0006-agreement.md. This module must not know what is in the log.
"""

import errno
import fcntl
import json
import logging
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client import Histogram

from statuslog import backwards, filelock
from statuslog.metrics import REGISTRY
from statuslog.record import AHEAD, EPOCH, FAR, MICROSECOND, show_timestamp

log = logging.getLogger(__name__)

STATE = "user.statuslog"
WAITING = "user.statuslog.waiting."  # and the name of a service
NOT_EXCLUSIVE = "another process has written to it while its lock was held: does flock work here? docs/limits.md"
SECOND = timedelta(seconds=1)
LAST = datetime.max.replace(tzinfo=UTC)
PAUSE = 0.1  # seconds between two looks at a lock that may be held for minutes

LOCK_WAIT = Histogram(
    "statuslog_vstorage_lock_wait_seconds",
    "How long vstorage's lock was waited for, whether it came or not",
    buckets=(0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8),
    registry=REGISTRY,
)


class VstorageError(Exception):
    """vstorage cannot be appended to. `reason` is the word that /readyz uses for it."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Behind:
    """From `offset` on the file may not be what the log is from the time `since` on."""

    since: datetime
    offset: int


@dataclass(frozen=True, slots=True)
class State:
    """What is kept with the file: the newest time given to a record, and from where on the file is behind.

    `newest` keeps the log's order (by time) the file's order when the clock is set back. `behind` is set before
    a batch goes to storage and cleared after its append: who dies in between leaves a note. `edition` is that of
    the log that the file is a copy of.
    """

    newest: datetime = EPOCH
    behind: Behind | None = None
    edition: int = 0

    def dump(self) -> bytes:
        behind = self.behind and [_microseconds(self.behind.since), self.behind.offset]
        return json.dumps([_microseconds(self.newest), behind, self.edition]).encode()

    @classmethod
    def load(cls, data: bytes) -> "State":
        newest, behind, *edition = json.loads(data)  # an older version has written none
        return cls(_moment(newest), behind and Behind(_moment(behind[0]), behind[1]), *edition)


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def _moment(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


class Vstorage:
    """The file at `path`. It is opened for each append: a file that was replaced is seen at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # What could not be kept with the file: a full disk, a filesystem without extended attributes (ADR 0006).
        self._memory: State | None = None

    @contextmanager
    def locked(self, timeout: float) -> Iterator["LockedFile"]:
        """Hold the lock, waiting `timeout` seconds for it; raises VstorageError."""
        descriptor = self._open()
        try:
            try:
                with LOCK_WAIT.time():
                    filelock.lock(descriptor, timeout)
            except TimeoutError:
                text = f"{self.path}: another process held its lock for more than {timeout:.1f} s"
                raise VstorageError("vstorage_locked", text) from None
            yield LockedFile(self, descriptor)
        finally:
            os.close(descriptor)

    def check(self) -> None:
        """Raise VstorageError when the file cannot be appended to, or lacks records; waits for nothing."""
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            state, far = self.load(descriptor), datetime.now(UTC) + FAR
            if state.newest > far and (backwards.last_second(descriptor, os.fstat(descriptor).st_size) or EPOCH) > far:
                raise VstorageError("clock_ahead", f"{self.path}: its last line is of {show_timestamp(state.newest)}")
            if state.behind:
                raise VstorageError("vstorage_behind", f"{self.path}: it lacks records that the log has")
        except BlockingIOError:
            pass  # somebody is at work on it
        finally:
            os.close(descriptor)

    def edition(self) -> int:
        """The edition of the log that the file is a copy of; raises VstorageError."""
        descriptor = self._open()
        try:
            return self.load(descriptor).edition
        finally:
            os.close(descriptor)

    @contextmanager
    def rewriting(self, timeout: float) -> Iterator[None]:
        """In the block nobody else writes the file anew, or mends it; raises VstorageError if somebody does."""
        descriptor = self._open()
        deadline = time.monotonic() + timeout
        try:
            while not filelock.try_second_lock(descriptor):
                if time.monotonic() >= deadline:
                    raise VstorageError("vstorage_rewritten", f"{self.path}: another process is writing it anew")
                time.sleep(PAUSE)
            yield
        finally:
            os.close(descriptor)

    def load(self, descriptor: int) -> State:
        """What is kept with the open file."""
        if self._memory is not None:
            return self._memory
        try:
            return State.load(os.getxattr(descriptor, STATE))
        except (OSError, ValueError, TypeError, LookupError, OverflowError):
            return State()  # a new file

    def save(self, descriptor: int, state: State) -> None:
        """Keep it with the open file; where that cannot be done, this process alone knows it."""
        try:
            os.setxattr(descriptor, STATE, state.dump())
        except OSError:
            self._memory = state
        else:
            self._memory = None

    def _open(self) -> int:
        # O_NONBLOCK: a FIFO in the file's place must not hang the service.
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            descriptor = os.open(self.path, flags)
        except OSError as error:
            raise VstorageError("vstorage_not_writable", f"{self.path}: {error.strerror}") from error
        found = os.fstat(descriptor)
        if stat.S_ISREG(found.st_mode) and found.st_nlink > 0:
            return descriptor
        os.close(descriptor)
        if stat.S_ISREG(found.st_mode):
            # A bind mount keeps the file it was given; the one on the host has another inode by now.
            text = "the file was replaced on the host; restart the service to mount the new one"
            raise VstorageError("vstorage_stale", f"{self.path}: {text}")
        raise VstorageError("vstorage_not_writable", f"{self.path}: not a regular file")


class LockedFile:
    """The open file while its lock is held."""

    def __init__(self, vstorage: Vstorage, descriptor: int) -> None:
        self._vstorage = vstorage
        self._descriptor = descriptor
        self._state = vstorage.load(descriptor)
        self._begun = self.size
        self.is_in_order = False
        if not self._ends_whole():
            # The host has crashed in the middle of a write, which the kernel had taken as a whole.
            self.fall_behind(since=None)

    @property
    def behind(self) -> Behind | None:
        return self._state.behind

    def begin(self, now: datetime, count: int) -> list[datetime]:
        """Times for `count` records, each later than all before: `now`, or right after a newer newest one.

        From here until `append` the file counts as behind. `is_in_order` tells whether their lines may be appended.
        """
        first = self._next_time(now)
        self.is_in_order = self.behind is None
        times = [first + number * MICROSECOND for number in range(count)]
        self._begun = self.size
        self._save(replace(self._state, newest=times[-1], behind=self.behind or Behind(first, self._begun)))
        return times

    def new_time(self, now: datetime) -> datetime:
        """A time later than all before, as `begin` gives them, for something that is no record."""
        time = self._next_time(now)
        self._save(replace(self._state, newest=max(self._state.newest, time)))
        return time

    def _next_time(self, now: datetime) -> datetime:
        """`now`, or right after a newer newest one; but not after one that a wrong clock has given (ADR 21)."""
        if self._state.newest <= now + AHEAD:
            return max(now, self._state.newest + MICROSECOND)
        if self.behind is None and (last := self._last_second()) <= now + AHEAD:
            # No line bears it out: it was only noted.
            self._save(replace(self._state, newest=last + SECOND))
            return max(now, last + SECOND + MICROSECOND)
        if self._state.newest <= now + FAR:
            return self._state.newest + MICROSECOND
        # A line that is written now has its place before those of the future, so it comes there from the log.
        self.fall_behind(now)
        return now

    def forget_newest(self, now: datetime) -> None:
        """Let the next record have its true time, whatever the file's last line shows; it is to be written from the log
        then."""
        if self._state.newest > now:
            self._save(replace(self._state, newest=now))

    def _last_second(self) -> datetime:
        return backwards.last_second(self._descriptor, self.size) or EPOCH

    def append(self, lines: Sequence[str]) -> None:
        """Append the lines of the records that `begin` gave times to. Raises VstorageError."""
        if self.size > self._begun:
            log.error("%s: %s", self._vstorage.path, NOT_EXCLUSIVE)
        self._write("".join(f"{line}\n" for line in lines).encode())
        self._save(replace(self._state, behind=None))

    @property
    def newest(self) -> datetime:
        """The newest time given to a record: all that the log has up to here, the file should have."""
        return self._state.newest

    @property
    def size(self) -> int:
        """The file's size in bytes."""
        return os.fstat(self._descriptor).st_size

    def fall_behind(self, since: datetime | None, end: int | None = None) -> None:
        """Note that the file lacks records from `since` on, or is wrong from the byte `end` on.

        Without `since` it is the second of the last whole line before `end`. Lines show whole seconds, so the
        file is taken back to the first line of that second.
        """
        end = self.size if end is None else end
        if since is None:
            since = backwards.last_second(self._descriptor, end) or EPOCH
        since = since.replace(microsecond=0)
        if self.behind and self.behind.since <= since:
            return
        self._save(replace(self._state, behind=Behind(since, backwards.offset_of(self._descriptor, since, end))))

    def catch_up(self, lines: Sequence[tuple[datetime, str]]) -> None:
        """Write the log's next lines in the place where the file is behind; with none it has caught up."""
        behind = self.behind
        if behind is None:
            return
        offset = min(behind.offset, self.size)  # less, when somebody has emptied the file
        os.ftruncate(self._descriptor, offset)
        if not lines:
            self._save(replace(self._state, behind=None))
            return
        self._write("".join(f"{line}\n" for _, line in lines).encode())
        last = lines[-1][0]
        # Behind the last moment that there is, nothing can come.
        behind = None if last >= LAST else Behind(last + MICROSECOND, self.size)
        self._save(replace(self._state, newest=max(self._state.newest, last), behind=behind))

    @property
    def is_rewritten(self) -> bool:
        """Another one is writing the file anew, and has let go of the lock in between: `Vstorage.rewriting`."""
        return filelock.has_second_lock_of_another(self._descriptor)

    def start_anew(self, edition: int) -> None:
        """Empty the file: it will be a copy of that edition of the log, and lacks all of it."""
        self._save(replace(self._state, edition=edition, behind=Behind(EPOCH, 0)))
        os.ftruncate(self._descriptor, 0)

    def copy(self, lines: bytes, since: datetime | None) -> None:
        """Append the log's next lines; with `since` they were the last before that time. Raises VstorageError."""
        self._write(lines)
        if since is not None:
            self._save(replace(self._state, behind=Behind(since, self.size)))

    def waiting(self) -> set[str]:
        """The services whose outboxes hold records that the file has and the log does not."""
        try:
            names = os.listxattr(self._descriptor)
        except OSError:
            return set()
        return {name.removeprefix(WAITING) for name in names if name.startswith(WAITING)}

    def need_empty_outboxes(self) -> None:
        """Raise VstorageError if the file may have records that are still to come to the log."""
        if waiting := self.waiting():
            text = f"records wait in the outbox of {' and '.join(sorted(waiting))}: is storage up?"
            raise VstorageError("outbox_waiting", text)

    def set_waiting(self, service: str, waits: bool) -> None:
        with suppress(OSError):  # not there any more, or no extended attributes here
            if waits:
                os.setxattr(self._descriptor, WAITING + service, b"1")
            else:
                os.removexattr(self._descriptor, WAITING + service)

    def _write(self, data: bytes) -> None:
        """One write, taken back when it was short: the tail stays whole."""
        end = self.size
        try:
            written = os.write(self._descriptor, data)
            if written < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            with suppress(OSError):  # what cannot be cut off now is cut off by `catch_up`
                os.ftruncate(self._descriptor, end)
            raise VstorageError("vstorage_not_writable", f"{self._vstorage.path}: {error.strerror}") from error

    def _save(self, state: State) -> None:
        self._state = state
        self._vstorage.save(self._descriptor, state)

    def _ends_whole(self) -> bool:
        size = self.size
        return size == 0 or os.pread(self._descriptor, 1, size - 1) == b"\n"
