"""What a file to import has: its lines as items of the log, with their ids and how often each line came before."""

import hashlib
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple

from logs.serializers import decode, record_from_line
from statuslog.record import EPOCH, Record, RecordError, check_line, show_timestamp, shown_by

LONGEST = 64 * 1024  # bytes of a line: no record in JSON is longer
MILLISECOND = timedelta(milliseconds=1)


class Line(NamedTuple):
    """A line of text, and the how manieth of its kind in the file it is, with the id that follows from both."""

    text: str
    timestamp: datetime
    seconds: float  # host_uptime_seconds
    free: int  # disk_free_bytes
    id: str
    occurrence: int = 1

    @property
    def stamp(self) -> str:
        """Its time as both engines take it, from the line's own beginning: value_of takes ten times as long."""
        stamp = f"{self.text[:10]} {self.text[11:19]}"
        return f"{stamp}.{self.timestamp.microsecond:06}" if self.timestamp.microsecond else stamp


Item = Line | tuple[int, Record]  # a whole record with the number of its line


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
    return f"{_milliseconds(timestamp)}8{digest[:3]}8{digest[3:18]}"


@lru_cache  # many lines have the time of the one before
def _milliseconds(timestamp: datetime) -> str:
    return f"{(timestamp - EPOCH) // MILLISECOND % 2**48:012x}"


def read(number: int, data: bytes, now: datetime) -> Item:
    """The item that the line of that number is; raises RecordError."""
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
    return Line(text, timestamp, seconds, free, line_id(text, timestamp))


def _not_yet(timestamp: datetime) -> RecordError:
    # vstorage gives each new record a later time than the newest one has: statuslog/vstorage.py.
    return RecordError(f"its time {show_timestamp(timestamp)} has not come yet, and all new records would follow it")


class Occurrences:
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
        self._newest = datetime.min.replace(tzinfo=UTC)

    def counted(self, items: Sequence[Item]) -> list[Item]:
        """The items, each line with its occurrence."""
        counts: dict[str, int] = {}
        newest = self._newest
        counted: list[Item] = []
        for item in items:
            if isinstance(item, Line):
                key = item.id
                before = counts.get(key)
                if before is None:
                    before = self._before(key) if item.timestamp <= newest else 0
                counts[key] = before + 1
                if before:
                    again = line_id(item.text, item.timestamp, before + 1)
                    item = item._replace(id=again, occurrence=before + 1)
                elif item.timestamp > self._newest:
                    self._newest = item.timestamp
            counted.append(item)
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR REPLACE INTO occurrences VALUES (?, ?)", counts.items())
        self._database.execute("COMMIT")
        return counted

    def _before(self, key: str) -> int:
        found = self._database.execute("SELECT count FROM occurrences WHERE line = ?", [key]).fetchone()
        return 0 if found is None else int(found[0])

    def close(self) -> None:
        self._database.close()
