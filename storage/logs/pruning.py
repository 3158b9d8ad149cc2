"""Removing the log's oldest records.

First, in one short transaction, the log gets a time that it begins at, and a new edition: from then on
`GET /log` shows nothing older, and the services write vstorage anew. Then the rows are deleted, a few at a time,
so that no POST waits long, and their space is given back. Who is killed leaves the rest to the next who prunes.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Func, IntegerField, Max, Q, QuerySet

from logs.limits import Limits
from logs.models import Edition, LogRecord
from statuslog import filelock
from statuslog.record import MICROSECOND
from statuslog.sqlite.base import DatabaseWrapper

PAGE = 10_000
FIRST_STEP, LARGEST_STEP = 100, 5000  # rows, or pages of the file
STEP_SECONDS = 0.04  # a POST may have to wait for two of them
FEW_PAGES = 256  # free pages, a MiB, that are not worth a step: the next records use them

Progress = Callable[[int, int], None]


class Bytes(Func):
    """The length of a text in UTF-8."""

    function = "OCTET_LENGTH"
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="LENGTH(CAST(%(expressions)s AS BLOB))", **context)


@dataclass(frozen=True, slots=True)
class Plan:
    """To remove the `count` records of the log, of `total`, that are before a time."""

    before: datetime
    count: int
    total: int


def plan(limits: Limits) -> Plan | None:
    """What has to be removed to keep the limits; None if nothing has."""
    bounds = []
    if limits.older_than is not None:
        bounds.append(datetime.now(UTC) - limits.older_than)
    if limits.keep_last is not None:
        bounds += _of_the_last(limits.keep_last)
    if limits.max_bytes is not None:
        bounds += _of_bytes(limits.max_bytes)
    if not bounds:
        return None
    count = _log().filter(timestamp__lt=max(bounds)).count()
    return Plan(max(bounds), count, _log().count()) if count else None


def begin(found: Plan) -> None:
    """Take the records out of the log, at this moment; `finish` deletes them."""
    with transaction.atomic(durable=True):
        Edition.begin(pruned_before=found.before)


def finish(progress: Progress = lambda done, total: None) -> int:
    """Delete what is out of the log, and give its space back; returns the number of rows. Only within `alone`."""
    deleted, left, step = 0, 0, FIRST_STEP
    while before := Edition.log_begins():
        left = left or LogRecord.objects.filter(timestamp__lt=before).count()
        with _measured() as took:
            count = _delete(before, step)
        deleted, left = deleted + count, max(0, left - count)
        progress(deleted, deleted + left)
        step = _next(step, took[0])
    _give_back()
    return deleted


def _delete(before: datetime, count: int) -> int:
    """Delete the oldest rows before the time, or note that none is left."""
    with transaction.atomic(durable=True):
        edition = Edition.objects.filter(pruned_before=before)
        if not edition.exists():
            return 0  # another prune has begun, or a backup was restored
        oldest = LogRecord.objects.filter(timestamp__lt=before).order_by("timestamp", "row")[:count]
        deleted, _ = LogRecord.objects.filter(row__in=oldest.values("row")).order_by().delete()
        if deleted < count:
            edition.update(pruned_before=None)
    return deleted


@contextmanager
def alone() -> Iterator[bool]:
    """Whether nobody else on this data is deleting, for as long as the block takes."""
    lock = os.open(settings.DATA_DIR / "prune.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield filelock.try_lock(lock)
    finally:
        os.close(lock)


def _log() -> QuerySet[LogRecord]:
    before = Edition.log_begins()
    return LogRecord.objects.filter(timestamp__gte=before) if before else LogRecord.objects.all()


def _of_the_last(count: int) -> list[datetime]:
    """The time of the last record but `count`, or after all; records of the same microsecond stay together."""
    if count == 0:
        newest = LogRecord.objects.aggregate(newest=Max("timestamp"))["newest"]
        return [newest + MICROSECOND] if newest else []
    return list(_log().order_by("-timestamp", "-row").values_list("timestamp", flat=True)[count - 1 : count])


def _of_bytes(most: int) -> list[datetime]:
    """The time from which on the lines have at most so many bytes; page by page, as in pages.py."""
    rows = _log().order_by("-timestamp", "-row").annotate(bytes=Bytes(F("line")))
    rest = Q()
    while page := list(rows.filter(rest).values_list("timestamp", "row", "bytes", named=True)[:PAGE]):
        for row in page:
            most -= row.bytes + 1
            if most < 0:
                return [row.timestamp + MICROSECOND]
        last = page[-1]
        rest = Q(timestamp__lte=last.timestamp) & (Q(timestamp__lt=last.timestamp) | Q(row__lt=last.row))
    return []


def _give_back() -> None:
    """Make SQLite's file smaller by its free pages. PostgreSQL's autovacuum needs nobody to ask."""
    if connection.vendor != "sqlite":
        return
    engine = cast(DatabaseWrapper, connection)
    step = FIRST_STEP
    while (free := _pragma("freelist_count")) > FEW_PAGES and _pragma("auto_vacuum"):
        with _measured() as took, engine.turn() as database:
            # A script, as `execute` asks for the first page only.
            database.executescript(f"BEGIN IMMEDIATE; PRAGMA incremental_vacuum({step}); COMMIT")
        if _pragma("freelist_count") >= free:
            return  # somebody holds on to the file's end; the next prune gives it back
        step = _next(step, took[0])
    with engine.turn() as database:
        database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()  # now the file itself gets smaller


def _pragma(name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {name}")
        (value,) = cursor.fetchone()
    return int(value)


@contextmanager
def _measured() -> Iterator[list[float]]:
    """How long the block takes; then a pause as long as that, in which the others write."""
    took = [0.0]
    started = time.monotonic()
    yield took
    took[0] = time.monotonic() - started
    time.sleep(took[0])


def _next(step: int, took: float) -> int:
    """A step that takes STEP_SECONDS, going by the one before."""
    return max(FIRST_STEP, min(LARGEST_STEP, 2 * step, int(step * STEP_SECONDS / max(took, 0.001))))
