"""Find the time in a line: ISO 8601, and UTC as other programs write it.

A time counts only with its zone: without one nobody can tell which moment it is.
"""

import re
from datetime import UTC, datetime, timedelta

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_CLOCK = r"(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?(?: ?(?P<half>[ap]m))?"
_BASIC_CLOCK = _CLOCK.replace(r"\d\d?", r"\d\d").replace(":(?P<", "(?P<").replace("(?::", "(?:")
# Z, UTC, (GMT), UTC+02:00; or +02:00, +0200, and +02 with no blank before it; Go writes "+0000 UTC", and some
# programs "+00:00Z". Names of other zones mean several: CST is in America, in China and in Cuba.
_ZONE = (
    r"(?: ?[(\[]?(?:z|utc|gmt)(?P<shift>[+-]\d\d?(?::?\d\d)?)?(?!\w|[+-]\d)"
    r"|(?P<offset> ?[+\u2212-]\d\d:?\d\d|[+\u2212-]\d\d)(?!\w(?<!z)|:\d)(?P<utc> ?[(\[]?(?:z|utc|gmt)(?!\w))?(?!\w))"
)
_MONTH = rf"(?P<month>{'|'.join(MONTHS)})[a-z]{{0,6}}\.?"
_YEAR, _DAY = r"(?P<year>\d{4})", r"(?P<day>\d\d?)"

TIMES = tuple(
    re.compile(pattern, re.IGNORECASE | re.ASCII)
    for pattern in (
        # 2025-09-28T13:18:09Z, 2025/09/28 13:18:09 UTC
        rf"(?<!\d){_YEAR}(?P<dash>[-/])(?P<month>\d\d)(?P=dash)(?P<day>\d\d)(?:t|,? |_){_CLOCK}{_ZONE}",
        # 20250928T131809Z
        rf"(?<!\d){_YEAR}(?P<month>\d\d)(?P<day>\d\d)t{_BASIC_CLOCK}{_ZONE}",
        # Sun, 28 Sep 2025 13:18:09 GMT, 28/Sep/2025:13:18:09 +0000
        rf"(?<!\d){_DAY}[ /-]{_MONTH}[ ,/-]{{1,2}}{_YEAR}[ ,:]{{1,2}}{_CLOCK}{_ZONE}",
        # Sep 28, 2025 13:18:09 UTC, Sun Sep 28 2025 13:18:09 GMT+0000
        rf"\b{_MONTH} {{1,2}}{_DAY},? {_YEAR},? {_CLOCK}{_ZONE}",
        # Sun Sep 28 13:18:09 UTC 2025
        rf"\b{_MONTH} {{1,2}}{_DAY} {_CLOCK}{_ZONE} {_YEAR}(?!\d)",
    )
)
# A time without a zone, for the error.
LOCAL = re.compile(
    rf"(?<!\d)\d{{4}}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d(?::\d\d)?+(?![.,]?\d*{_ZONE})", re.IGNORECASE | re.ASCII
)
# The usual ones of the first kind.
USUAL_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9}+)?+(?:Z| UTC|[+-]\d\d:\d\d)"


def moment(text: str) -> datetime | None:
    """The time that the text is, in UTC and cut to the microsecond, if Python's own parser knows its form."""
    try:
        if text[-1] == "Z":  # the usual case, in half the time
            return datetime.fromisoformat(text)
        return datetime.fromisoformat(text.replace(" UTC", "Z").replace(" +", "+")).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def find_time(line: str) -> datetime | None:
    """The first time in the line that has its zone, in UTC, cut to the microsecond."""
    for pattern in TIMES:
        for found in pattern.finditer(line):
            if timestamp := moment(found[0]) or _moment(found):
                return timestamp
    return None


def _moment(found: re.Match[str]) -> datetime | None:
    named = found.groupdict()
    month = named["month"].lower()
    number = MONTHS.index(month) + 1 if month in MONTHS else int(month)
    microsecond = int((named["fraction"] or "").ljust(9, "0")) // 1000
    try:
        local = datetime(
            *(int(named["year"]), number, int(named["day"])),
            *(_hour(int(named["hour"]), named["half"]), int(named["minute"]), int(named["second"] or 0), microsecond),
            tzinfo=UTC,
        )
        offset = _offset(named["offset"] or named["shift"] or "")
        if offset and named["utc"]:
            return None  # "+02:00Z" says two things
        return local - offset
    except (ValueError, OverflowError):
        return None  # the 30th of February, an offset of 99 hours, before the year 1


def _hour(hour: int, half: str | None) -> int:
    """The hour of the day, of one that may be followed by AM or PM; raises ValueError."""
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError
    return hour % 12 + (12 if half.lower() == "pm" else 0)


def _offset(text: str) -> timedelta:
    """How much later than UTC a zone's clock is; raises ValueError."""
    digits = text.strip().replace(":", "")
    if not digits:
        return timedelta()
    hours, minutes = (digits[1:-2], digits[-2:]) if len(digits) > 3 else (digits[1:], "0")
    if int(hours) > 23 or int(minutes) > 59:
        raise ValueError
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return offset if digits[0] == "+" else -offset
