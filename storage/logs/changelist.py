"""The list of records in the admin, which costs the same at ten million records as at a thousand.

Django's own counts the records, counts pages off from the first, and looks at every record to tell which days
there are. This one asks only what an index answers with few steps: tests/storage/test_admin_queries.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware, make_aware

from logs.models import LogRecord
from logs.places import Stretch, moved, nth_place, ordered, place
from logs.query import Place
from logs.search import understand

COUNTED = 10_000  # records, beyond which a list says "over 10,000"
LOOKED_THROUGH = 20_000  # records, for a text, for one page
DATES = 60  # choices of a time

FIRST, LAST, AFTER, BEFORE = "first", "last", "after", "before"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list, and where its neighbours begin; what is not there is None."""

    rows: list[LogRecord]
    previous: str | None
    next: str | None
    end: Place | None = None  # so far the text was looked for, and the log goes on


class RecordList(ChangeList):
    """`?p=` is a place: `first`, `last`, or what is `after` or `before` a record, in the list's order."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        # Any order but that of time would sort the whole log.
        self.newest_first = "timestamp" not in super().get_ordering(request, queryset)
        return list(ordered(queryset, newest_first=self.newest_first).query.order_by)

    def get_filters(self, request: HttpRequest) -> Any:
        try:
            specs, found, remaining, *flags = super().get_filters(request)
        except (ValueError, OverflowError) as error:  # the year after 9999
            raise IncorrectLookupParameters(error) from error
        dates: dict[str, Any] = remaining  # what the date hierarchy has made of year, month and day
        since, until = (dates.pop(f"timestamp__{bound}", [None])[-1] for bound in ("gte", "lt"))
        self.stretch = Stretch().within(since, until).within(self._time("gte"), self._time("lt"))
        return specs, found, dates, *flags

    def _time(self, bound: str) -> datetime | None:
        """The bound that the filter by time has set."""
        value = self.params.get(f"timestamp__{bound}")
        try:
            moment = value and parse_datetime(value)
        except ValueError:
            moment = None
        if value and not moment:
            raise IncorrectLookupParameters(f"{value!r} is not a time")
        return (moment if is_aware(moment) else make_aware(moment)) if moment else None

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        filtered = super().get_queryset(request, exclude_parameters)
        self.search = understand(self.query)
        self.rows = filtered.filter(self.search.exact)  # anywhere in the log, whatever their text
        self.stretch = self.stretch.within(*self.search.span)
        return self.rows.filter(self.stretch.condition, self.search.in_text)

    def get_results(self, request: HttpRequest) -> None:
        self.page = self._page(request.GET.get(PAGE_VAR, FIRST))
        self.result_list = self.page.rows
        self.full_result_count = self.result_count = self._count()
        self.show_admin_actions = bool(self.page.rows)
        self.show_full_result_count = self.can_show_all = self.multi_page = False

    # the page

    def _page(self, wanted: str) -> Page:
        kind, _, text = wanted.partition(":")
        try:
            start = Place.parse(text)
        except ValueError:
            start = None
        if kind == LAST:
            return self._read(None, upwards=True)
        if kind == BEFORE and start:
            page = self._read(start, upwards=True)
            if page.previous:
                return page
        if kind == AFTER and start:
            return self._read(start)
        return self._read(None)  # also instead of a page that would hold only the few above the second

    def _read(self, start: Place | None, *, upwards: bool = False) -> Page:
        """The page that follows on a place, or comes before it: an end of the list if there is none."""
        newest_first = self.newest_first is not upwards
        rows = ordered(self.rows, newest_first=newest_first)
        stretch = self.stretch.beyond(start, newest_first=newest_first) if start else self.stretch
        end = nth_place(rows.filter(stretch.condition), LOOKED_THROUGH) if self.search.text else None
        if end:
            stretch = stretch.up_to(end, newest_first=newest_first)
        found = list(rows.filter(stretch.condition, self.search.in_text)[: self.list_per_page + 1])
        further = end
        if len(found) > self.list_per_page:
            found.pop()
            further, end = place(found[-1]), None
        back = start and (place(found[0]) if found else moved(start, -1 if newest_first else 1))
        if upwards:
            found.reverse()
            return Page(found, _link(BEFORE, further), _link(AFTER, back), end)
        return Page(found, _link(BEFORE, back), _link(AFTER, further), end)

    # what is said about the list

    def _count(self) -> int:
        """How many there are, up to a bound; the whole log by its first and last row number."""
        if self.search.text:
            return len(self.page.rows) + (self.page.previous is not None) + (self.page.next is not None)
        count: int = self.queryset.order_by()[: COUNTED + 1].count()
        if count <= COUNTED or self.queryset.query.where:
            return count
        rows = LogRecord.objects.order_by("row").values_list("row", flat=True)
        # One after the other: for both in one query SQLite would read them all.
        return (rows.last() or 0) - (rows.first() or 0) + 1

    @property
    def counted(self) -> str:
        """The number of records for people, as exactly as it is known."""
        if self.search.text:
            return ""
        if self.result_count <= COUNTED:
            return f"{self.result_count:,} record{'' if self.result_count == 1 else 's'}"
        return f"over {COUNTED:,} records" if self.queryset.query.where else f"about {self.result_count:,} records"

    @property
    def notice(self) -> str:
        """What was searched for and where, so that nobody takes a bounded search for a whole one."""
        if not self.search.text:
            return self.search.says
        if len(self.page.rows) == self.list_per_page:
            return ""
        if self.page.end is None:
            return f"No more lines or instances with “{self.search.text}” in this direction."
        return (
            f"“{self.search.text}” was looked for in {LOOKED_THROUGH:,} records, as far as "
            f"{self.page.end.timestamp:%Y-%m-%d %H:%M:%S} UTC. There are more: go on below, or choose a time first."
        )

    @property
    def links(self) -> list[tuple[str, str | None]]:
        """The pages to go to: their names, and their queries where there is one."""
        names = ("Newest", "Newer", "Older", "Oldest") if self.newest_first else ("Oldest", "Older", "Newer", "Newest")
        first = FIRST if self.page.previous else None
        last = LAST if self.page.next else None
        pages = (first, self.page.previous, self.page.next, last)
        return [
            (name, page and self.get_query_string({PAGE_VAR: page})) for name, page in zip(names, pages, strict=True)
        ]

    # the dates

    def dates(self) -> dict[str, Any]:
        """The years, months or days that have records, as date_hierarchy.html wants them."""
        chosen = [self.params.get(f"timestamp__{unit}") for unit in UNITS]
        level = sum(value is not None for value in chosen)
        rows = self.rows.filter(self.stretch.condition)
        ends = [
            ordered(rows, newest_first=at_end).values_list("timestamp", flat=True).first() for at_end in (False, True)
        ]
        if ends[0] is None or ends[1] is None:
            return {"show": False}
        back = self._back(ends[0], level)
        while level < 2 and _begin(ends[0], level) == _begin(ends[1], level):
            level += 1  # there is but one: straight to what it holds
        if chosen[2] is not None:
            return {"show": True, "back": back, "choices": [{"title": _title(ends[0], 2)}]}
        choices = [{"link": self._of(moment, level), "title": _title(moment, level)} for moment in self._begins(level)]
        return {"show": True, "back": back, "choices": choices}

    def _begins(self, level: int) -> Iterator[datetime]:
        """The beginning of each year, month or day that has records: from one to the next, over those between."""
        rows = ordered(self.rows).values_list("timestamp", flat=True)
        stretch = self.stretch
        for _ in range(DATES):
            moment = rows.filter(stretch.condition).first()
            if moment is None:
                return
            yield _begin(moment, level)
            following = _next(moment, level)
            if following is None:
                return
            stretch = stretch.within(following, None)

    def _back(self, moment: datetime, level: int) -> dict[str, str] | None:
        if level == 0:
            return None
        title = "All dates" if level == 1 else _title(moment, level - 2)
        return {"link": self._of(moment, level - 2), "title": title}

    def _of(self, moment: datetime, level: int) -> str:
        """The query for the year, month or day of `moment`; for all dates below level 0."""
        values = (moment.year, moment.month, moment.day)[: level + 1]
        return self.get_query_string(
            {f"timestamp__{unit}": str(value) for unit, value in zip(UNITS, values, strict=False)}, ["timestamp"]
        )


UNITS = ("year", "month", "day")


def _begin(moment: datetime, level: int) -> datetime:
    return datetime(moment.year, moment.month if level > 0 else 1, moment.day if level > 1 else 1, tzinfo=UTC)


def _next(moment: datetime, level: int) -> datetime | None:
    try:
        return _begin(_begin(moment, level) + timedelta(days=(366, 31, 1)[level]), level)
    except OverflowError:  # there is no year 10000
        return None


def _title(moment: datetime, level: int) -> str:
    return f"{moment:{('%Y', '%B %Y', '%B %-d')[level]}}"


def _link(kind: str, place: Place | None) -> str | None:
    return None if place is None else f"{kind}:{place}"
