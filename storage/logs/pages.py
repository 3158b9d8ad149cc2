"""Reading the log in its order, page by page.

Each page is a query of its own that starts behind the last key: no read transaction stays open while a slow
client reads, so the write-ahead log can be taken back, and memory does not grow with the log.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Max, Q, QuerySet

from logs.models import LogRecord
from logs.serializers import record_of

PAGE = 2000

Form = Callable[[Sequence[Any]], str]


def as_text(rows: Sequence[Any]) -> str:
    """The line of each row."""
    return "".join(f"{row.line}\n" for row in rows)


def as_ndjson(rows: Sequence[LogRecord]) -> str:
    """The record of each row as JSON, one a line."""
    return "".join(f"{json.dumps(record_of(row).to_json())}\n" for row in rows)


def stream(
    form: Form, *, since: datetime | None = None, until: datetime | None = None, limit: int | None = None
) -> Iterator[bytes]:
    """All records that are stored when reading begins, from `since` on, before `until`, at most `limit`."""
    rows: QuerySet[Any] = LogRecord.objects.order_by("timestamp", "row")
    if form is as_text:
        rows = rows.values_list("timestamp", "row", "line", named=True)
    if since is not None:
        rows = rows.filter(timestamp__gte=since)
    if until is not None:
        rows = rows.filter(timestamp__lt=until)
    for page in _pages(rows, limit):
        yield form(page).encode()


def _pages(rows: QuerySet[Any], limit: int | None) -> Iterator[list[Any]]:
    newest = LogRecord.objects.aggregate(row=Max("row"))["row"] or 0  # a log that grows is read to an end
    left = limit
    behind = Q()
    while left != 0:
        size = PAGE if left is None else min(PAGE, left)
        page = list(rows.filter(behind, row__lte=newest)[:size])
        if not page:
            return
        yield page
        if len(page) < size:
            return
        left = None if left is None else left - len(page)
        last = page[-1]
        # The first condition follows from the second; with it SQLite searches the index instead of scanning it.
        behind = Q(timestamp__gte=last.timestamp) & (Q(timestamp__gt=last.timestamp) | Q(row__gt=last.row))
