"""Bringing a file of lines into the log: in chunks, each a transaction of some 50 ms, in which posts come between.

A line is known if the log has it at its time as often as the file has had it so far, whoever has written it: so a
file that is imported again, or was written by the services themselves, adds nothing, and two equal lines of a file
stay two. Its id follows from the line and from which one of its kind in the file it is, so that even two imports at
once store it once. A whole record (NDJSON) is known by its own id. Memory does not grow with the file.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from pathlib import Path
from uuid import UUID

from django.db import connection, transaction

from logs import readiness
from logs.import_lines import Item, Line, Occurrences, read
from logs.models import LogRecord
from logs.serializers import record_of
from logs.writer import COLUMNS, IDS_PER_QUERY, TABLE, rows_of, value_of
from statuslog.database import engine
from statuslog.record import Record, RecordError
from statuslog.times import find_time

CHUNK = 5000  # lines
SHOWN = 20  # rejected lines that are named; the others are counted
FIRST = 100  # lines, not counting empty ones: if none of them is good, the file is no log
SECOND = timedelta(seconds=1)
# The services write a few hundred lines a second. A second that holds more came from a file, and is known by its ids.
DENSE = 5000

# What a line says of itself. Each value that is handed over costs time, and the other columns may be null.
LINE_COLUMNS = (
    *("record_id", "service", "instance", "timestamp"),
    *("host_uptime_seconds", "disk_free_bytes", "line", "received_at"),
)


class NoRoom(Exception):
    """Too little free disk to go on (MIN_FREE_BYTES)."""


class NoLog(Exception):
    """None of the first lines can be stored; nothing was."""


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


def bring_in(lines: Iterable[bytes], counts: Counts, folder: Path, *, dry_run: bool = False) -> Iterator[int]:
    """Store the lines that are not known; yields after each chunk how many bytes are read. Raises NoRoom, NoLog.

    `folder` has room for some 40 bytes a line, for as long as this takes. With `dry_run` nothing is stored, and the
    counts are what would become of the lines.
    """
    size, number = 0, 1
    lines = iter(lines)
    with closing(Occurrences(folder)) as occurrences:
        while some := list(islice(lines, CHUNK)):
            if not readiness.has_room():
                raise NoRoom
            items = occurrences.counted(_read(some, number, counts))
            if dry_run:
                _try(items, counts, occurrences)
            else:
                _store(items, counts)
            number += len(some)
            size += sum(map(len, some))
            yield size


def _read(some: Sequence[bytes], first: int, counts: Counts) -> list[Item]:
    """What can be stored of the lines, of which the first has that number; the others are rejected. Raises NoLog."""
    items: list[Item] = []
    now = datetime.now(UTC)
    for number, data in enumerate(some, start=first):
        try:
            if item := read(number, data, now):
                items.append(item)
        except RecordError as error:
            counts.reject(number, error)
            if counts.rejected == FIRST and not items and not counts.stored + counts.known:
                raise NoLog from None
    return items


def _store(items: Sequence[Item], counts: Counts) -> None:
    """One transaction: those of the items that are not known."""
    asked, received_at = len(items), datetime.now(UTC)
    with transaction.atomic(durable=True):
        items = _unknown(items)
        inserted = sum(_insert(list(some), received_at) for _, some in groupby(items, type))
        conflicts = _conflicts(items) if inserted < len(items) else []
    for number, record_id in conflicts:
        counts.reject(number, f"a record with the id {record_id} exists and is another one")
    counts.stored += inserted
    counts.known += asked - inserted - len(conflicts)


def _try(items: Sequence[Item], counts: Counts, occurrences: Occurrences) -> None:
    """Count what `_store` would do."""
    asked, items = len(items), _unknown(items)
    conflicts = _conflicts(items)
    for number, record_id in conflicts:
        counts.reject(number, f"a record with the id {record_id} exists and is another one")
    lines = [UUID(item.id) for item in items if isinstance(item, Line)]
    records = [item[1].id for item in items if not isinstance(item, Line)]
    known = _known([*lines, *records])
    new = len(set(lines) - known) + sum(occurrences.is_new(one.hex) for one in records if one not in known)
    counts.stored += new
    counts.known += asked - new - len(conflicts)


def _known(ids: Sequence[UUID]) -> set[UUID]:
    """Those of the ids that the log has."""
    known: set[UUID] = set()
    for start in range(0, len(ids), IDS_PER_QUERY):
        rows = LogRecord.objects.filter(record_id__in=ids[start : start + IDS_PER_QUERY]).order_by()
        known.update(rows.values_list("record_id", flat=True))
    return known


def _unknown(items: Sequence[Item]) -> Sequence[Item]:
    """The items without the lines that the log has, in their second, as often as the file has had them so far."""
    stored = _stored([item for item in items if isinstance(item, Line)])
    if not stored:
        return items
    return [item for item in items if not isinstance(item, Line) or stored[item.text] < item.occurrence]


def _stored(lines: Sequence[Line]) -> Counter[str]:
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
    return [line for moment, line in found if _is_of(moment, line)]


def _is_of(moment: datetime, line: str) -> bool:
    """Whether the line says this time, to the second."""
    if line[:20] == f"{moment.isoformat()[:19]}Z":
        return True  # the usual case, in a tenth of the time
    time = find_time(line)
    return time is not None and _second(time) == _second(moment).replace(tzinfo=UTC)


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _insert(items: Sequence[Item], received_at: datetime) -> int:
    """Insert the items, all of one type, in their order; returns how many have an id that is new."""
    received = value_of(received_at)
    lines = [
        (item.id, "", "", item.stamp, item.seconds, item.free, item.text, received)
        for item in items
        if isinstance(item, Line)
    ]
    if lines:
        return engine.insert(TABLE, LINE_COLUMNS, lines, unless="record_id")
    records = [item[1] for item in items if not isinstance(item, Line)]
    return engine.insert(TABLE, COLUMNS, rows_of(records, received_at), unless="record_id")


def _conflicts(items: Sequence[Item]) -> list[tuple[int, UUID]]:
    """The line numbers and ids of the records whose id the log has with another content."""
    records = [item for item in items if not isinstance(item, Line)]
    stored: dict[UUID, Record] = {}
    for start in range(0, len(records), IDS_PER_QUERY):
        ids = [record.id for _, record in records[start : start + IDS_PER_QUERY]]
        rows = LogRecord.objects.filter(record_id__in=ids).order_by()
        stored.update((row.record_id, record_of(row)) for row in rows)
    return [(number, record.id) for number, record in records if stored.get(record.id, record) != record]
