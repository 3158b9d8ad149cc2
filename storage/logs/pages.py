"""Reading the log in its order, page by page.

Each page is a query of its own that starts behind the last key: no read transaction stays open while a slow
client reads, so the write-ahead log can be taken back, and memory does not grow with the log.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, cast

from django.db import connection
from django.db.models import BigIntegerField, ExpressionWrapper, F, QuerySet, TextField
from django.db.models.functions import Cast

from logs.forms import LINE, RECORD, TEXT_FORM, Form, Row, as_text, moment
from logs.models import Edition, LogRecord
from logs.places import Stretch, ordered
from logs.query import Place, Query
from logs.turns import turns

PAGE = 16_000  # rows of a query at the most
FIRST_PAGE = 500
PAGE_CHARACTERS = 2**19  # in a page of text, about, so that long lines make short pages; half of it for other forms
SEARCH_SECONDS = 1.0  # after which a JSON page ends, however little it has found


@dataclass(frozen=True, slots=True)
class State:
    """What the log holds, without looking at it: the last arrival, a text that is another one when records have
    come or gone, and the time that it begins at if it is being pruned."""

    newest: int
    tag: str
    begins: datetime | None = None


def state() -> State:
    """The log's state now.

    Records come with a higher `row`, and go from the log's beginning or all at once, so its last arrival and its
    first record tell; with the edition, as a prune hides them first, and a log that was restored counts its rows again.
    """
    edition, begins = Edition.objects.values_list("number", "pruned_before").first() or (0, None)
    ends = [
        row
        for order in (("-row",), ("timestamp", "row"))
        for row in _raw(LogRecord.objects.order_by(*order).values_list("row", "record_id")[:1])
    ]
    told = repr((ends, edition)).encode()
    return State(ends[0][0] if ends else 0, hashlib.blake2s(told, digest_size=12).hexdigest(), begins)


def let_go() -> None:
    """Give the connection back while nothing is asked: PostgreSQL's are few, and a slow client may take hours. SQLite's
    stays open, as each thread has its own."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


def unhurried(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The same parts; neither a connection nor a part is held while the client takes one."""

    def unheld(part: bytes) -> bytes:
        let_go()
        return part

    return map(unheld, parts)


def stream(query: Query, form: Form, newest: int) -> Iterator[bytes]:
    """What is asked for of the records up to the row `newest`, in a form that is streamed.

    It begins with something, if only nothing: so the answer has begun, however long the first record is searched for.
    """

    def written(page: tuple[list[Row], Place | None]) -> bytes:
        return form.write(page[0]).encode() if page[0] else b""

    yield form.head().encode()
    behind = _beginning(query, newest)
    if form is TEXT_FORM and query.limit is None and query.tail != 0 and not query.contains:
        yield from _lines(query, newest, behind)
        return
    limit = query.limit if query.tail is None else query.tail
    # `map` does not keep the rows while the client takes their text.
    yield from filter(None, map(written, read(query, form.columns, newest, limit, behind)))


def page(query: Query, columns: Sequence[str], newest: int, size: int) -> tuple[list[Row], Place | None]:
    """Up to `size` rows, and the place behind them if there are more, or may be: a search ends after a moment and
    says how far it got."""
    found: list[Row] = []
    until = time.monotonic() + SEARCH_SECONDS
    for rows, place in read(query, columns, newest, size + 1, _beginning(query, newest)):
        found += rows
        if len(found) > size:
            return found[:size], _place(found[size - 1], newest)
        if place and time.monotonic() > until:
            return found, place
    return found, None


def read(
    query: Query, columns: Sequence[str], newest: int, limit: int | None, behind: Place | None, backwards: bool = False
) -> Iterator[tuple[list[Row], Place | None]]:
    """Page by page the rows behind a place, at most `limit`, and the place that is reached, or None at the end.

    With `contains` a page is looked through here and not by the database, which would go on to the next match in one
    query, however far that is.
    """
    backwards = backwards or query.order == "desc"
    chosen = ordered(_arrived(_chosen(query), newest), newest_first=backwards)
    wanted = _keyed(chosen, *columns)
    stretch = Stretch(query.since, query.until)
    left, size = limit, FIRST_PAGE
    turn: Callable[[], AbstractContextManager[None]] = nullcontext  # the first page is short, and does not wait for one
    while left != 0:
        size = min(size, PAGE) if left is None or query.contains else min(size, PAGE, left)
        part = stretch.beyond(behind, newest_first=backwards) if behind else stretch
        with turn():
            rows = _raw(wanted.filter(part.condition)[:size])
        if not rows:
            return
        behind = _place(rows[-1], newest)
        found = [row for row in rows if query.contains in row[-1]][:left] if query.contains else rows
        if len(rows) < size:
            yield found, None
            return
        turn = turns.page
        left = None if left is None else left - len(found)
        size = max(1, PAGE_CHARACTERS // 2 * len(rows) // sum(len(str(row[-1])) for row in rows))
        held, rows, found = [found], [], []
        yield held.pop(), behind  # from here on only whoever has asked keeps them in memory


def arrivals(after: int, newest: int, limit: int) -> list[Row]:
    """The rows of RECORD that have arrived behind one, up to another, in the order of their arrival."""
    return _raw(_keyed(LogRecord.objects.filter(row__gt=after, row__lte=newest).order_by("row"), *RECORD)[:limit])


def _lines(query: Query, newest: int, behind: Place | None) -> Iterator[bytes]:
    """The text of the log. The database joins the lines of a page, in half the time that it takes to make a Python
    object of each, and without the interpreter's lock, so that others get on with their work.

    A page reaches from one time to another. Comparing the row as well costs a fifth more, and is done only for
    records of one time that are too many for a page.
    """
    backwards = query.order == "desc"
    lower, upper = (">=", query.since), ("<", query.until)
    size = FIRST_PAGE
    if behind is not None:
        yield from _lines_of(query, newest, behind.timestamp, behind.row)
        lower, upper = (lower, ("<", behind.timestamp)) if backwards else ((">", behind.timestamp), upper)
    while True:
        size = min(size, PAGE)
        rest = _Part(query, lower, upper)
        end = rest.time(size)
        page = rest if end is None else _Part(query, *((">", end), upper) if backwards else (lower, ("<", end)))
        with turns.page():
            text = page.text(newest, size)
        beyond = ("<=", ">=") if text else ("<", ">")
        if text:
            size = max(1, PAGE_CHARACTERS * size // len(text))
            held, text = [text], None
            yield held.pop()  # a client may take long, and then this page is in memory once
        elif end is not None:
            yield from _lines_of(query, newest, end, None)
        if end is None:
            return
        lower, upper = (lower, (beyond[0], end)) if backwards else ((beyond[1], end), upper)


def _lines_of(query: Query, newest: int, timestamp: datetime, row: int | None) -> Iterator[bytes]:
    """The text of the records of one time, behind a row."""
    rest = _arrived(_chosen(query).filter(timestamp=timestamp), newest)
    beyond = "row__lt" if query.order == "desc" else "row__gt"
    while True:
        rows = _raw(_keyed(rest if row is None else rest.filter(**{beyond: row}), *LINE)[:FIRST_PAGE])
        if not rows:
            return
        yield as_text(rows).encode()
        row = rows[-1][1]


class _Part:
    """The records that are asked for between two times. By hand: making the SQL of a page takes Django a fifth of
    the time that SQLite needs to read it."""

    # SQL promises no order here; docs/adr/0017-reading-all.md says why it is the right one.
    JOINED: ClassVar[Mapping[str, str]] = {
        "sqlite": "CAST(group_concat(line, '\n') AS BLOB)",
        "postgresql": "convert_to(string_agg(line, '\n'), 'UTF8')",
    }

    def __init__(self, query: Query, *bounds: tuple[str, datetime | None]) -> None:
        given = [("service", "=", query.service), ("instance", "=", query.instance)]
        given += [("timestamp", comparison, _as_kept(time)) for comparison, time in bounds]
        self._conditions = [f"{name} {comparison} %s" for name, comparison, value in given if value is not None]
        self._values = [value for _, _, value in given if value is not None]
        direction = "DESC" if query.order == "desc" else "ASC"
        self._is_whole = query.order == "asc" and query.service is None and query.instance is None
        self._order = f"ORDER BY timestamp {direction}, row {direction} LIMIT %s"

    def time(self, number: int) -> datetime | None:
        """The time of the record behind the first `number`, which is looked for in the index alone."""
        where = " AND ".join(self._conditions) or "1 = 1"
        # Named, or PostgreSQL would take the order for that of the text.
        sql = f"SELECT CAST(timestamp AS text) AS shown FROM logs_logrecord WHERE {where} {self._order} OFFSET %s"  # noqa: S608
        row = self._row(sql, [*self._values, 1, number])
        return None if row is None else moment(row)

    def text(self, newest: int, size: int) -> bytes | None:
        """The lines of the first `size` records, of those up to the row `newest`."""
        # `+ 0`: SQLite would take a condition on the row itself for a reason to read by row, and then sort.
        where = " AND ".join([*self._conditions, "row + 0 <= %s"])
        source = f"(SELECT line FROM logs_logrecord WHERE {where} {self._order}) AS page"  # noqa: S608
        values = [*self._values, newest, size]
        if self._is_whole and connection.vendor == "sqlite":
            # Less work than with the subquery, and in the same order: that of the index, which is the only way in.
            source, values = f"logs_logrecord INDEXED BY log_order WHERE {where}", [*self._values, newest]
        row = self._row(f"SELECT {self.JOINED[connection.vendor]} FROM {source}", values)  # noqa: S608
        return None if row is None or row[0] is None else bytes(row[0]) + b"\n"

    def _row(self, sql: str, values: Sequence[Any]) -> Row | None:
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cast("Row | None", cursor.fetchone())


def _as_kept(time: datetime | None) -> Any:
    return None if time is None else connection.ops.adapt_datetimefield_value(time)


def _beginning(query: Query, newest: int) -> Place | None:
    """The place that reading begins behind."""
    if query.tail is None:
        return query.cursor
    columns = LINE if query.contains else ()  # the key alone is read from the index
    last: Row | None = None
    for rows, _ in read(query, columns, newest, query.tail, None, backwards=True):
        last = rows[-1] if rows else last
    return None if last is None else Place(moment(last), last[1] - 1, newest)


def _chosen(query: Query) -> QuerySet[LogRecord]:
    """The records that are asked for, of whatever time."""
    rows = ordered(LogRecord.objects.all(), newest_first=query.order == "desc")
    for name in ("service", "instance"):
        if (value := getattr(query, name)) is not None:
            rows = rows.filter(**{name: value})
    return rows


def _arrived(rows: QuerySet[LogRecord], newest: int) -> QuerySet[LogRecord]:
    # As an expression: SQLite would take a condition on the row itself for a reason to read by row, and then sort.
    return rows.alias(arrival=ExpressionWrapper(F("row") + 0, BigIntegerField())).filter(arrival__lte=newest)


def _keyed(rows: QuerySet[LogRecord], *columns: str) -> QuerySet[Any]:
    """The key of each row, and the columns."""
    # The time as a text: sqlite3 would make a datetime of each, and mostly one a page is needed.
    return rows.annotate(moment=Cast("timestamp", TextField())).values_list("moment", "row", *columns)


def _place(row: Row, newest: int) -> Place:
    return Place(moment(row), row[1], newest)


def _raw(rows: QuerySet[Any]) -> list[Row]:
    """The rows as the database has them, past Django's conversions."""
    sql, values = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
