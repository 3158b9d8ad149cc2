"""The one place that adds to the log: posts that come together are committed together."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import Error, connection, transaction
from prometheus_client import Counter

from logs.following import feed
from logs.models import Fence, LogRecord
from logs.serializers import record_of
from logs.turns import turns
from statuslog.batching import Batcher, NotDone
from statuslog.database import Trouble, engine
from statuslog.metrics import REGISTRY
from statuslog.record import FAR, FIELDS, Record, show_timestamp

# A client waits 3 s at most, so an answer that the turn did not come has to come before.
TRANSACTION_TIMEOUT = 1.0
TURN_TIMEOUT = 2.0
MAX_WAITING = 1000
IDS_PER_QUERY = 500

POSTED = Counter(
    "statuslog_posted_records", "Records that were posted, by what became of them", ["outcome"], registry=REGISTRY
)
for _outcome in ("stored", "known", "refused"):
    POSTED.labels(_outcome)  # from 0 on, so that Prometheus sees the first one as a change


class Busy(Exception):
    """The turn to write did not come in time; nothing was stored."""


class Full(Exception):
    """The database's disk is full; nothing was stored."""


class Away(Exception):
    """The database cannot be reached, or was lost before it said whether it has stored this; ask again."""


TROUBLE: dict[Trouble, type[Exception]] = {"busy": Busy, "full": Full, "away": Away, "replaced": Away, "outdated": Away}


class Conflict(Exception):
    """A record of this id is stored already, with another content; nothing was stored."""

    def __init__(self, record_id: UUID) -> None:
        super().__init__(f"a record with the id {record_id} exists and is another one")


class Fenced(Exception):
    """Who posted this has been given up since, and a later fence was set; nothing was stored."""

    def __init__(self, fence: datetime) -> None:
        super().__init__(f"the log is fenced off before {show_timestamp(fence)}")


@dataclass(frozen=True, slots=True)
class Post:
    """What one request wants stored: all of it or nothing.

    Known is a record with the same id and content. `by_line` is for the lines of one text: only the line is
    compared, as a text that is sent again arrives at another time, and all of them are known, or none. An id of
    `unused` must not exist. With `fence` the post is refused when a later fence was set; a post without records
    sets it.
    """

    records: Sequence[Record]
    by_line: bool = False
    unused: Sequence[UUID] = ()
    fence: datetime | None = None


def store(post: Post) -> int:
    """Store the records that are not known yet, durably; returns how many.

    Raises Conflict, Fenced, Busy, Full, Away.
    """
    stored = 0
    outcome = "refused"
    try:
        stored = _batcher(post)
        outcome = "known"
    except NotDone as error:
        raise Busy(str(error)) from error
    finally:
        POSTED.labels("stored").inc(stored)
        POSTED.labels(outcome).inc(len(post.records) - stored)
    return stored


@contextmanager
def _transaction() -> Iterator[None]:
    """One transaction; its posts hear of it after the commit. Raises Busy, Full, Away."""
    try:
        with (
            turns.commit(),
            engine.transaction_timeout(TRANSACTION_TIMEOUT),
            transaction.atomic(durable=True),
        ):
            yield
    except Error as error:
        if trouble := engine.trouble(error):
            raise TROUBLE[trouble](str(error)) from error
        raise
    feed.grown()


def _write(posts: Sequence[Post], _: None) -> list[int | Exception]:
    """How many records of each post are new, and now inserted; each post fails or succeeds alone."""
    outcomes: list[int | Exception] = []
    known = _known(posts)
    fence = _fence()
    received_at = datetime.now(UTC)
    new_records: list[Record] = []
    for post in posts:
        try:
            fence = _check_fence(post, fence)
            new = _new_records(post, known)
        except (Conflict, Fenced) as error:
            outcomes.append(error)
        else:
            known.update((record.id, record) for record in new)
            new_records += new
            outcomes.append(len(new))
    engine.insert(TABLE, COLUMNS, rows_of(new_records, received_at))
    return outcomes


_batcher: Batcher[Post, None, int] = Batcher(_transaction, _write, most=MAX_WAITING, patience=TURN_TIMEOUT)


def _known(posts: Sequence[Post]) -> dict[UUID, Record]:
    """The stored records with an id of the posts."""
    ids = [record.id for post in posts for record in post.records]
    ids += [record_id for post in posts for record_id in post.unused]
    return {
        row.record_id: record_of(row)
        for start in range(0, len(ids), IDS_PER_QUERY)
        if _exist(some := ids[start : start + IDS_PER_QUERY])
        for row in LogRecord.objects.filter(record_id__in=some).order_by()
    }


# The three questions of every POST are put by hand: to put them into words Django takes ten times as long as SQLite
# to answer them, half of a whole POST.
TABLE = "logs_logrecord"
COLUMNS = ["record_id" if name == "id" else name for name in FIELDS] + ["received_at"]


def rows_of(records: Iterable[Record], received_at: datetime) -> list[tuple[Any, ...]]:
    """The values of COLUMNS for each record, as the database takes them."""
    received = value_of(received_at)
    return [(*(value_of(getattr(record, name)) for name in FIELDS), received) for record in records]


def value_of(value: Any) -> Any:
    """The value as the database takes it."""
    if isinstance(value, UUID):
        return value if connection.features.has_native_uuid_field else value.hex
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value


def _exist(ids: Sequence[UUID]) -> bool:
    """Whether a record with one of the ids is stored. Hardly ever one is, so this is asked first."""
    values = [value_of(record_id) for record_id in ids]
    places = ", ".join(["%s"] * len(values))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM logs_logrecord WHERE record_id IN ({places}) LIMIT 1", values)  # noqa: S608
        return cursor.fetchone() is not None


def _new_records(post: Post, known: dict[UUID, Record]) -> list[Record]:
    """Those of the post's records that are not known; raises Conflict."""
    for record_id in post.unused:
        if record_id in known:
            raise Conflict(record_id)
    new: dict[UUID, Record] = {}
    for record in post.records:
        stored = known.get(record.id) or new.setdefault(record.id, record)
        if stored is not record and (stored.line != record.line or not (post.by_line or stored == record)):
            raise Conflict(record.id)
    if post.by_line and 0 < len(new) < len(post.records):
        raise Conflict(post.records[0].id)
    return list(new.values())


def _fence() -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT timestamp FROM logs_fence")
        row: tuple[datetime] | None = cursor.fetchone()
    return None if row is None else row[0].replace(tzinfo=UTC)


def _check_fence(post: Post, fence: datetime | None) -> datetime | None:
    """The fence that holds after this post; raises Fenced."""
    if post.fence is None:
        return fence
    # One from the far future was set by a clock that was wrong, and would fence off everybody.
    if fence is not None and post.fence < fence <= datetime.now(UTC) + FAR:
        raise Fenced(fence)
    if post.records:
        return fence
    Fence.objects.update_or_create(pk=1, defaults={"timestamp": post.fence})
    return post.fence
