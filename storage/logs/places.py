"""Pages by place: the log's order is (timestamp, row), and a page begins behind a place in it.

No page is found by counting rows off, so the last one costs what the first one costs.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from django.db.models import Q, QuerySet

from logs.models import LogRecord
from logs.query import Place


def place(row: LogRecord) -> Place:
    """The record's place: behind itself."""
    return Place(row.timestamp, row.row, 0)


def moved(place: Place, rows: int) -> Place:
    """A place that is a record further on (1), or back (-1)."""
    return replace(place, row=place.row + rows)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the log: from `since` on, before `until`, behind the place `after`, ahead of the place `before`.

    It makes one lower and one upper bound of them. Given two, SQLite searches its index by one, which may be
    the wider, and reads all that lies between.
    """

    since: datetime | None = None
    until: datetime | None = None
    after: Place | None = None
    before: Place | None = None

    def within(self, since: datetime | None, until: datetime | None) -> Self:
        """The part of it that is also from `since` on and before `until`."""
        return replace(
            self,
            since=max(filter(None, (self.since, since)), default=None),
            until=min(filter(None, (self.until, until)), default=None),
        )

    def beyond(self, place: Place, *, newest_first: bool) -> Self:
        """What follows on `place` in the log's order, or against it."""
        return replace(self, before=place) if newest_first else replace(self, after=place)

    def up_to(self, place: Place, *, newest_first: bool) -> Self:
        """What comes up to `place`, itself too, in the log's order or against it."""
        if newest_first:
            return replace(self, after=moved(place, -1))
        return replace(self, before=moved(place, 1))

    @property
    def condition(self) -> Q:
        return self._lower() & self._upper()

    def _lower(self) -> Q:
        if self.after and (self.since is None or self.since <= self.after.timestamp):
            moment, row = self.after.timestamp, self.after.row
            # The first condition follows from the second; with it the index is searched instead of scanned.
            return Q(timestamp__gte=moment) & (Q(timestamp__gt=moment) | Q(row__gt=row))
        return Q() if self.since is None else Q(timestamp__gte=self.since)

    def _upper(self) -> Q:
        if self.before and (self.until is None or self.before.timestamp < self.until):
            moment, row = self.before.timestamp, self.before.row
            return Q(timestamp__lte=moment) & (Q(timestamp__lt=moment) | Q(row__lt=row))
        return Q() if self.until is None else Q(timestamp__lt=self.until)


def ordered(rows: QuerySet[LogRecord], *, newest_first: bool = False) -> QuerySet[LogRecord]:
    """The rows in the log's order, or against it."""
    return rows.order_by("-timestamp", "-row") if newest_first else rows.order_by("timestamp", "row")


def nth_place(rows: QuerySet[LogRecord], number: int) -> Place | None:
    """The place of the row of that number in `rows`, which the index alone tells; None if there are fewer."""
    found = list(rows.values_list("timestamp", "row")[number - 1 : number])
    return Place(*found[0], newest=0) if found else None
