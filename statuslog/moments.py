"""Points in time as people type them: a time, a day, or so long ago. One grammar for parameters and pages."""

import re
from datetime import UTC, datetime, timedelta

from statuslog import quantities
from statuslog.record import parse_timestamp

MOMENT = (
    "a time with its zone, such as 2025-09-26T16:45:06.123456Z; a day (UTC), such as 2025-09-26, today or yesterday; "
    "or so long ago, such as 15m, 1h30m, 2d or 1w"
)
# In JSON Schema, what `parse` takes.
SCHEMA = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "string", "format": "date"},
        {"type": "string", "enum": ["today", "yesterday"]},
        {"type": "string", "pattern": quantities.DURATION_PATTERN},
    ]
}
BEGINNING = datetime.min.replace(tzinfo=UTC)
DAYS_AGO = {"today": 0, "yesterday": 1}

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
# `+` in a query means a blank, and hardly anybody writes %2B before the offset of a time.
_BLANK_OFFSET = re.compile(r"(T.*) (\d\d:?\d\d)", re.ASCII)


def parse(text: str) -> datetime:
    """The time in UTC that `text` means now, of a day its beginning; raises ValueError, which says what to write."""
    if quantities.is_duration(text):
        try:
            return datetime.now(UTC) - quantities.duration(text)
        except OverflowError:
            return BEGINNING  # longer ago than Python can say: before all records
    try:
        if text in DAYS_AGO:
            today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            return today - timedelta(days=DAYS_AGO[text])
        if _DAY.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        return parse_timestamp(_BLANK_OFFSET.sub(r"\1+\2", text), "time")
    except ValueError:
        raise ValueError(MOMENT) from None


def moves(text: str) -> bool:
    """Whether it means another time a moment later."""
    return text in DAYS_AGO or quantities.is_duration(text)
