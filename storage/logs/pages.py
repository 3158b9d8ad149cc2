"""Reading the log in its order, page by page.

Each page is a query of its own that starts behind the last key: no read transaction stays open while a slow
client reads, so the write-ahead log can be taken back, and memory does not grow with the log.
"""

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import BigIntegerField, ExpressionWrapper, F, QuerySet, TextField
from django.db.models.functions import Cast

from logs.forms import LINE, Form, Row, moment
from logs.models import Edition, LogRecord
from logs.places import Stretch
from logs.query import Place, Query

PAGE = 4000  # rows of a query at the most
FIRST_PAGE = 500
PAGE_CHARACTERS = 2**20  # in the lines of a page, about: lines of 4,096 characters make short pages
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


def stream(query: Query, form: Form, newest: int) -> Iterator[bytes]:
    """What is asked for of the records up to the row `newest`, in a form that is streamed.

    It begins with something, if only nothing: so the answer has begun, however long the first record is searched for.
    """
    yield form.head().encode()
    limit = query.limit if query.tail is None else query.tail
    for rows, _ in read(query, form.columns, newest, limit, _beginning(query, newest)):
        if rows:
            yield form.write(rows).encode()


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
    wanted = _wanted(query, columns, newest, backwards)
    stretch = Stretch(query.since, query.until)
    left, size = limit, FIRST_PAGE
    while left != 0:
        size = min(size, PAGE) if left is None or query.contains else min(size, PAGE, left)
        part = stretch.beyond(behind, newest_first=backwards) if behind else stretch
        rows = _raw(wanted.filter(part.condition)[:size])
        if not rows:
            return
        behind = _place(rows[-1], newest)
        found = [row for row in rows if query.contains in row[-1]][:left] if query.contains else rows
        if len(rows) < size:
            yield found, None
            return
        yield found, behind
        left = None if left is None else left - len(found)
        size = max(1, PAGE_CHARACTERS * len(rows) // sum(len(str(row[-1])) for row in rows))


def _beginning(query: Query, newest: int) -> Place | None:
    """The place that reading begins behind."""
    if query.tail is None:
        return query.cursor
    columns = LINE if query.contains else ()  # the key alone is read from the index
    last: Row | None = None
    for rows, _ in read(query, columns, newest, query.tail, None, backwards=True):
        last = rows[-1] if rows else last
    return None if last is None else Place(moment(last), last[1] - 1, newest)


def _wanted(query: Query, columns: Sequence[str], newest: int, backwards: bool) -> QuerySet[Any]:
    order = ("-timestamp", "-row") if backwards else ("timestamp", "row")
    # As an expression: SQLite would take a condition on the row itself for a reason to read by row, and then sort.
    # The time as a text: sqlite3 would make a datetime of each, and mostly one a page is needed.
    rows: QuerySet[Any] = (
        LogRecord.objects.alias(arrival=ExpressionWrapper(F("row") + 0, BigIntegerField()))
        .annotate(moment=Cast("timestamp", TextField()))
        .filter(arrival__lte=newest)
        .order_by(*order)
        .values_list("moment", "row", *columns)
    )
    for name in ("service", "instance"):
        if (value := getattr(query, name)) is not None:
            rows = rows.filter(**{name: value})
    return rows


def _place(row: Row, newest: int) -> Place:
    return Place(moment(row), row[1], newest)


def _raw(rows: QuerySet[Any]) -> list[Row]:
    """The rows as the database has them, past Django's conversions."""
    sql, values = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
