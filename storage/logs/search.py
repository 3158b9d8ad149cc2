"""What somebody who searches the admin means, as a question that an index answers, or a text to look for.

No index helps to find a text in the middle of lines. One that does (trigrams) would be written with each POST, and be
larger than the log. So a text is looked for in a bounded part of the log, and the page says in which.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import Q

from logs.models import LogRecord

HELP = (
    "An id, a service, an instance, or a time or its beginning (2025-09, 2025-09-26T16:45) is found at once. "
    'Anything else, or what stands in "quotes", is looked for in lines and instances.'
)

# From the month on: a lone number is more likely a part of a line.
TIME = re.compile(
    r"(?P<month>\d{4}-\d\d)"
    r"(-(?P<day>\d\d)([T ](?P<hour>\d\d)(:(?P<minute>\d\d)(:(?P<second>\d\d)(\.(?P<fraction>\d{1,6}))?)?)?)?)?"
    r"(Z| UTC)?",
    re.ASCII,
)
UNITS = {"second": timedelta(seconds=1), "minute": timedelta(minutes=1), "hour": timedelta(hours=1)}


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for: `exact` and `span` (from, until before) by index, or else `text`; `says` it for people."""

    exact: Q = Q()
    span: tuple[datetime | None, datetime | None] = (None, None)
    text: str = ""
    says: str = ""

    @property
    def in_text(self) -> Q:
        """The records with the text in their line or instance; all if there is none."""
        return Q(line__icontains=self.text) | Q(instance__icontains=self.text) if self.text else Q()


def understand(term: str) -> Search:
    """What `term` means."""
    term = term.strip()
    if not term:
        return Search()
    if len(term) > 2 and term[0] == term[-1] == '"':
        return Search(text=term[1:-1])
    if (record_id := _id(term)) is not None:
        return Search(Q(record_id=record_id), says="The record with this id.")
    if (span := _span(term)) is not None:
        return Search(span=span, says=f"The records of {term}, by their time.")
    for label in ("service", "instance"):
        named = Q(**{label: term})
        if LogRecord.objects.filter(named).exists():
            return Search(named, says=f"The records of the {label} {term}.")
    return Search(text=term)


def _id(term: str) -> UUID | None:
    try:
        return UUID(term) if len(term) in (32, 36) else None
    except ValueError:
        return None


def _span(term: str) -> tuple[datetime, datetime] | None:
    """The time that begins with `term`: from, and until before."""
    found = TIME.fullmatch(term)
    if not found:
        return None
    year, month = map(int, found["month"].split("-"))
    parts = {name: int(found[name]) for name in UNITS if found[name]}
    fraction = found["fraction"] or ""
    try:
        begin = datetime(year, month, int(found["day"] or 1), **parts, tzinfo=UTC)
        if found["day"] is None:
            return begin, (begin + timedelta(days=31)).replace(day=1)
        if fraction:
            begin += timedelta(microseconds=int(fraction.ljust(6, "0")))
            return begin, begin + timedelta(microseconds=10 ** (6 - len(fraction)))
        finest = next((unit for name, unit in UNITS.items() if name in parts), timedelta(days=1))
        return begin, begin + finest
    except (ValueError, OverflowError):
        return None
