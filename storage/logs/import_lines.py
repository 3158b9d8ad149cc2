"""What a file to import has: its lines as items of the log, with their ids and how often each line came before."""

import codecs
import hashlib
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple

from logs.serializers import decode, record_from_line
from statuslog.lines import shown_by, usual
from statuslog.record import EPOCH, Record, RecordError, check_line, show_timestamp
from statuslog.times import LOCAL, moment

LONGEST = 64 * 1024  # bytes of a line: no record in JSON is longer
MILLISECOND = timedelta(milliseconds=1)
NAMED = 60  # characters of a line without a time, in what is said of it


class Line(NamedTuple):
    """A line of text, and the how manieth of its kind in the file it is, with the id that follows from both."""

    text: str
    timestamp: datetime
    stamp: str  # the same time as both engines take it
    seconds: float | None  # host_uptime_seconds
    free: int | None  # disk_free_bytes
    id: str
    occurrence: int = 1


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
    return _id(_milliseconds(timestamp), text.encode())


def _id(beginning: str, text: bytes) -> str:
    digest = hashlib.sha1(text, usedforsecurity=False).hexdigest()
    return f"{beginning}8{digest[:3]}8{digest[3:18]}"


def _milliseconds(timestamp: datetime) -> str:
    return f"{(timestamp - EPOCH) // MILLISECOND % 2**48:012x}"


@lru_cache  # many lines have the time of the one before
def _forms_of(text: str) -> tuple[datetime, str, str] | None:
    """The time that the text is, with the two forms below; None if it is none."""
    timestamp = moment(text)
    if timestamp is None:
        return None
    if text[-1] in "ZC":  # of UTC, as most are: the text has it already
        return timestamp, _milliseconds(timestamp), _stamp(f"{text[:10]} {text[11:19]}", timestamp)
    return _forms(timestamp)


def _forms(timestamp: datetime) -> tuple[datetime, str, str]:
    """The time, in UTC, with the beginning of an id and as both engines take it."""
    return timestamp, _milliseconds(timestamp), _stamp(str(timestamp)[:19], timestamp)


def _stamp(seconds: str, timestamp: datetime) -> str:
    return f"{seconds}.{timestamp.microsecond:06}" if timestamp.microsecond else seconds


def read(number: int, data: bytes, now: datetime) -> Item | None:
    """The item that the line of that number is, None for an empty one; raises RecordError."""
    if len(data) >= LONGEST:
        raise RecordError(f"the line has {LONGEST:,} bytes or more")
    if number == 1:
        data = data.removeprefix(codecs.BOM_UTF8)
    data = data.removesuffix(b"\n").removesuffix(b"\r")
    if not data or data.isspace():
        return None
    if data.startswith(b"{"):
        record = record_from_line(data)
        if record.timestamp > now:
            raise _not_yet(record.timestamp)
        return number, record
    text = decode(data)
    if (quick := usual(text)) and (forms := _forms_of(quick[0])):
        _, seconds, free = quick
    elif shown := shown_by(check_line(text)):
        time, seconds, free = shown
        forms = _forms(time)
    else:
        raise _no_time(text)
    timestamp, beginning, stamp = forms
    if timestamp > now:
        raise _not_yet(timestamp)
    return Line(text, timestamp, stamp, seconds, free, _id(beginning, data))


def _no_time(text: str) -> RecordError:
    local = LOCAL.search(text)
    reason = (
        f"its time {local[0]} has no zone, such as Z, UTC or +02:00"
        if local
        else "it has no time with its zone, such as 2025-09-26T16:45:06Z"
    )
    beginning = text if len(text) <= NAMED else f"{text[:NAMED]}…"
    return RecordError(f"{reason}: {beginning}")


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

    def is_new(self, key: str) -> bool:
        """Whether the key, which is no line's that was counted, comes for the first time."""
        return self._database.execute("INSERT OR IGNORE INTO occurrences VALUES (?, 1)", [key]).rowcount == 1

    def close(self) -> None:
        self._database.close()
