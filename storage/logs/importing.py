"""Bringing a file of lines into the log: in chunks, each a transaction of some 50 ms, in which posts come between.

A line is known if the log has it at its time as often as the file has had it so far, whoever has written it: so a
file that is imported again, or was written by the services themselves, adds nothing, and two equal lines of a file
stay two. Its id follows from the line and from which one of its kind in the file it is, so that even two imports at
once store it once. A whole record (NDJSON) is known by its own id. Memory does not grow with the file.
"""

import fcntl
import hashlib
import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from django.db import connection, transaction

from logs import readiness
from logs.models import Edition, LogRecord
from logs.serializers import decode, record_from_line, record_of
from logs.writer import COLUMNS, IDS_PER_QUERY, INSERT, rows_of, value_of
from statuslog import filelock
from statuslog.record import EPOCH, Record, RecordError, check_line, show_timestamp, shown_by

CHUNK = 5000  # lines
LONGEST = 64 * 1024  # bytes of a line: no record in JSON is longer
SHOWN = 20  # rejected lines that are named; the others are counted
SECOND = timedelta(seconds=1)
MILLISECOND = timedelta(milliseconds=1)
# The services write a few hundred lines a second. A second that holds more came from a file, and is known by its ids.
DENSE = 5000

_INSERT = f"{INSERT} ON CONFLICT (record_id) DO NOTHING"
_ID, _SERVICE, _INSTANCE, _TIMESTAMP, _SECONDS, _FREE, _LINE, _RECEIVED = map(
    COLUMNS.index,
    ("record_id", "service", "instance", "timestamp", "host_uptime_seconds", "disk_free_bytes", "line", "received_at"),
)


class NoRoom(Exception):
    """Too little free disk to go on (MIN_FREE_BYTES)."""


@dataclass(slots=True)
class Counts:
    """What has become of the lines; `rejections` names the first of the rejected ones."""

    stored: int = 0
    known: int = 0
    rejected: int = 0
    rejections: list[str] = field(default_factory=list)

    def reject(self, number: int, reason: object) -> None:
        self.rejected += 1
        if len(self.rejections) < SHOWN:
            self.rejections.append(f"line {number:,}: {reason}")

    def __str__(self) -> str:
        return f"stored {self.stored:,}, known already {self.known:,}, rejected {self.rejected:,}"


@dataclass(slots=True)
class _Line:
    """A line of text, and the how manieth of its kind in the file it is, with the id that follows from both."""

    text: str
    timestamp: datetime
    seconds: float  # host_uptime_seconds
    free: int  # disk_free_bytes
    id: str
    occurrence: int = 1


Item = _Line | tuple[int, Record]


def bring_in(lines: Iterable[bytes], counts: Counts, folder: Path) -> Iterator[int]:
    """Store the lines that are not known; yields after each chunk how many bytes are read. Raises NoRoom.

    `folder` has room for some 40 bytes a line, for as long as this takes.
    """
    read, number = 0, 1
    lines = iter(lines)
    with closing(_Occurrences(folder)) as occurrences:
        while some := list(islice(lines, CHUNK)):
            if not readiness.has_room():
                raise NoRoom
            items = _read(some, number, counts)
            occurrences.count([item for item in items if isinstance(item, _Line)])
            _store(items, counts)
            number += len(some)
            read += sum(map(len, some))
            yield read


@contextmanager
def marked(folder: Path) -> Iterator[None]:
    """In the block lines are stored, and then a new edition begins. Who dies in it leaves that to `settle`."""
    descriptor = _open_mark(folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)  # of several imports at once each has it
        os.pwrite(descriptor, b"!", 0)
        os.fsync(descriptor)
        yield
        if filelock.try_lock(descriptor):  # else it is now the others' mark
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def settle(folder: Path) -> bool:
    """Begin the edition that a dead import has left out, so that vstorage follows; True if there was one."""
    descriptor = _open_mark(folder)
    try:
        if not os.fstat(descriptor).st_size or not filelock.try_lock(descriptor):
            return False
        begin_edition()
        os.ftruncate(descriptor, 0)
        return True
    finally:
        os.close(descriptor)


def begin_edition() -> None:
    with transaction.atomic(durable=True):
        Edition.begin()


def _open_mark(folder: Path) -> int:
    return os.open(folder / "import.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def lines_of(stream: IO[bytes]) -> Iterator[bytes]:
    """The stream's lines; of one that is too long for a record, the beginning."""
    while line := stream.readline(LONGEST):
        yield line
        while len(line) == LONGEST and not line.endswith(b"\n"):
            line = stream.readline(LONGEST)


def line_id(line: str, timestamp: datetime, occurrence: int = 1) -> str:
    """The id, in hex, of the so manieth of all equal lines of a file: the same whenever the file is imported.

    A UUID of version 8 (RFC 9562, 5.8). As in those of version 7 the milliseconds come first, so that the index of ids
    grows at its end: with ids that are random all through, as version 5 makes them, it takes twice as long.
    """
    text = line if occurrence == 1 else f"{line}\n{occurrence}"
    digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    milliseconds = (timestamp - EPOCH) // MILLISECOND % 2**48
    return f"{milliseconds:012x}8{digest[:3]}8{digest[3:18]}"


def _read(some: Sequence[bytes], first: int, counts: Counts) -> list[Item]:
    """What can be stored of the lines, of which the first has that number; the others are rejected."""
    items: list[Item] = []
    now = datetime.now(UTC)
    for number, data in enumerate(some, start=first):
        try:
            items.append(_item(number, data, now))
        except RecordError as error:
            counts.reject(number, error)
    return items


def _item(number: int, data: bytes, now: datetime) -> Item:
    if len(data) >= LONGEST:
        raise RecordError(f"the line has {LONGEST:,} bytes or more")
    data = data.removesuffix(b"\n")
    if data.startswith(b"{"):
        record = record_from_line(data)
        if record.timestamp > now:
            raise _not_yet(record.timestamp)
        return number, record
    text = decode(data)
    shown = shown_by(text)
    if shown is None:
        check_line(text)  # which says it better, if nothing could stand there like that
        raise RecordError("it is not the line of a status record")
    timestamp, seconds, free = shown
    if timestamp > now:
        raise _not_yet(timestamp)
    return _Line(text, timestamp, seconds, free, line_id(text, timestamp))


def _not_yet(timestamp: datetime) -> RecordError:
    # vstorage gives each new record a later time than the newest one has: statuslog/vstorage.py.
    return RecordError(f"its time {show_timestamp(timestamp)} has not come yet, and all new records would follow it")


def _store(items: Sequence[Item], counts: Counts) -> None:
    """One transaction: those of the items that are not known."""
    received_at = datetime.now(UTC)
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        stored = _stored([item for item in items if isinstance(item, _Line)])
        new = [item for item in items if isinstance(item, tuple) or stored[item.text] < item.occurrence]
        cursor.executemany(_INSERT, list(_rows(new, received_at)))
        inserted = max(cursor.rowcount, 0)  # -1 when there was nothing to do
        conflicts = _conflicts(new) if inserted < len(new) else []
    for number, record_id in conflicts:
        counts.reject(number, f"a record with the id {record_id} exists and is another one")
    counts.stored += inserted
    counts.known += len(items) - inserted - len(conflicts)


def _stored(lines: Sequence[_Line]) -> Counter[str]:
    """How often the log has each line in its second."""
    if not lines:
        return Counter()
    times = [line.timestamp for line in lines]
    found = _between(_second(min(times)), _second(max(times)) + SECOND, 2 * CHUNK)
    if found is not None:
        return Counter(found)
    stored: Counter[str] = Counter()
    for second in set(map(_second, times)):
        stored.update(_between(second, second + SECOND, DENSE) or ())
    return stored


def _between(since: datetime, until: datetime, most: int) -> list[str] | None:
    """The log's lines of that time that say so themselves, in any order; None if it has more than `most` then.

    A line that was posted as a text stands at its arrival, whatever time it shows: it is not the file's.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT timestamp, line FROM logs_logrecord WHERE timestamp >= %s AND timestamp < %s LIMIT %s",
            [value_of(since), value_of(until), most + 1],
        )
        found: list[tuple[datetime, str]] = cursor.fetchall()
    if len(found) > most:
        return None
    return [line for moment, line in found if line.startswith(moment.isoformat()[:19])]


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _rows(items: Iterable[Item], received_at: datetime) -> Iterator[Sequence[Any]]:
    """The values of INSERT for each item; of a line by hand, as this is done for each of ten million."""
    received = value_of(received_at)
    nothing: list[Any] = [None] * len(COLUMNS)
    for item in items:
        if isinstance(item, tuple):
            yield from rows_of([item[1]], received_at)
            continue
        row = nothing.copy()
        row[_ID] = item.id
        row[_SERVICE] = row[_INSTANCE] = ""
        row[_TIMESTAMP] = _stamp(item)
        row[_SECONDS] = item.seconds
        row[_FREE] = item.free
        row[_LINE] = item.text
        row[_RECEIVED] = received
        yield row


def _stamp(item: _Line) -> str:
    """Its time as both engines take it, from the line's own beginning: value_of takes ten times as long."""
    stamp = f"{item.text[:10]} {item.text[11:19]}"
    return f"{stamp}.{item.timestamp.microsecond:06}" if item.timestamp.microsecond else stamp


def _conflicts(items: Sequence[Item]) -> list[tuple[int, UUID]]:
    """The line numbers and ids of the records whose id the log has with another content."""
    records = [item for item in items if isinstance(item, tuple)]
    stored: dict[UUID, Record] = {}
    for start in range(0, len(records), IDS_PER_QUERY):
        ids = [record.id for _, record in records[start : start + IDS_PER_QUERY]]
        rows = LogRecord.objects.filter(record_id__in=ids).order_by()
        stored.update((row.record_id, record_of(row)) for row in rows)
    return [(number, record.id) for number, record in records if stored.get(record.id, record) != record]


class _Occurrences:
    """Counts equal lines, in a database that is on the disk and has no name.

    Lines may come in any order. As long as each chunk is later than those before, nothing has to be looked up.
    """

    def __init__(self, folder: Path) -> None:
        with tempfile.NamedTemporaryFile(dir=folder, prefix="import-") as file:
            self._database = sqlite3.connect(file.name, isolation_level=None)
            self._database.executescript(
                "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE;"
                "CREATE TABLE occurrences (line TEXT PRIMARY KEY, count INTEGER) WITHOUT ROWID;"
            )
        self._newest: datetime | None = None

    def count(self, lines: Sequence[_Line]) -> None:
        """Set the occurrence of each."""
        counts: dict[str, int] = {}
        for line in lines:
            key = line.id
            if key not in counts:
                counts[key] = self._before(key) if self._newest and line.timestamp <= self._newest else 0
            line.occurrence = counts[key] = counts[key] + 1
            if line.occurrence > 1:
                line.id = line_id(line.text, line.timestamp, line.occurrence)
        if lines:
            newest = max(line.timestamp for line in lines)
            self._newest = max(newest, self._newest or newest)
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR REPLACE INTO occurrences VALUES (?, ?)", counts.items())
        self._database.execute("COMMIT")

    def _before(self, key: str) -> int:
        found = self._database.execute("SELECT count FROM occurrences WHERE line = ?", [key]).fetchone()
        return 0 if found is None else int(found[0])

    def close(self) -> None:
        self._database.close()
