"""Read a line of the log: its time, its uptime and its free disk, in our own form and in those of other programs.

Other programs of this exercise write similar lines. What is not clear is not read: a value that is missing
is better than a false one. docs/adr/0011-import.md says what is clear.
"""

import re
from datetime import datetime

from statuslog.record import LONGEST_UPTIME, MEBIBYTE, MOST_BYTES, SECONDS_PER_HOUR, Measurement
from statuslog.times import USUAL_TIME, find_time

# The forms that were seen, our own among them, in one expression: it takes a fifth of the time of those below. In some
# the uptime is not clear ("115 s hours"), or memory stands in the place of the disk.
_PLAIN = r"(\d{1,12}+(?:\.\d{1,15}+)?+)"  # so few digits that no value is too large for its column
USUAL = re.compile(
    rf"(?:[A-Za-z]\w{{0,31}}+:? )?+({USUAL_TIME}): "
    rf"uptime:? (?:{_PLAIN} ?h(?:ours)?|[\d.]{{1,31}} ?s hours), "
    rf"free (?:disk in root: {_PLAIN} MBytes|mem [\d.]{{1,31}} MB)",
    re.ASCII,
)

# A number with a point or a comma. A comma before three digits may as well stand between thousands.
_NUMBER = r"(?:0,\d{1,15}|\d{1,15}+(?:,(?!\d{3}(?!\d))\d{1,15}+|\.\d{1,15}+)?(?:e[+-]?\d\d?)?)(?!\d)"

_UNITS = {"d": 86400, "h": SECONDS_PER_HOUR, "m": 60, "s": 1}
_UNIT = r"(?:d(?:ays?)?|h(?:(?:ou)?rs?)?|m(?:in(?:ute)?s?)?|s(?:ec(?:ond)?s?)?)(?![a-z])"
_NEXT = r"(?:,? (?:and )?)?"
_PART = rf"{_NUMBER} ?{_UNIT}"
UPTIME = re.compile(
    rf"up-?time ?[:=]? {{0,8}}(?:is )?({_NUMBER}) ?({_UNIT})((?:{_NEXT}{_PART})*+)"
    # Not clear is what goes on with another unit, as in "115 s hours" and "5 hours/day", or with another number.
    rf"(?![\w%/]|[.:]\d| {_UNIT}|{_NEXT}\d++(?:[.,]\d++)*+(?! ?[a-z]))",
    re.ASCII,
)
_PARTS = re.compile(rf"({_NUMBER}) ?([dhms])", re.ASCII)

# MBytes are 2**20 bytes in our lines, and MB is short for it. Of GB and kB nobody knows which power is meant.
_SIZES = {"": 1, "m": MEBIBYTE, "ki": 2**10, "mi": MEBIBYTE, "gi": 2**30, "ti": 2**40}
FREE_DISK = re.compile(
    r"(?:free (?:disk space|disk|space)|disk(?: space)? free)(?: (?:in|on|of|at) (?:the )?(?:root|/)(?![\w/]))?"
    rf" ?[:=]? {{0,8}}({_NUMBER}) ?(m|[kmgt]i|)b(?:ytes?)?(?![\w/%])",
    re.ASCII,
)


def usual(line: str) -> tuple[str, float | None, int | None] | None:
    """What a line of a usual form shows: its time as it stands there, for `moment`; host_uptime_seconds;
    disk_free_bytes. None for any other line."""
    found = USUAL.fullmatch(line)
    if not found:
        return None
    time, hours, mebibytes = found.groups()
    seconds = None if hours is None else float(hours) * SECONDS_PER_HOUR
    free = None if mebibytes is None else round(float(mebibytes) * MEBIBYTE)
    return time, seconds, free


def shown_by(line: str) -> tuple[datetime, float | None, int | None] | None:
    """What the line shows: its time, host_uptime_seconds, disk_free_bytes; None for a line without a time.

    The line shows the uptime of RECORD_UPTIME, which by default is the host's.
    """
    timestamp = find_time(line)
    return None if timestamp is None else (timestamp, *_values(line))


def measured_by(line: str) -> Measurement:
    """The measured values that the line shows, whether it has a time or not."""
    seconds, free = _values(line)
    return Measurement(host_uptime_seconds=seconds, disk_free_bytes=free)


def _values(line: str) -> tuple[float | None, int | None]:
    line = line.lower()  # ten times as quick as an expression that ignores case
    return _uptime(line), _free_disk(line)


def _uptime(line: str) -> float | None:
    """Seconds, of a number with its unit, or several from the largest unit on: 1h 30m."""
    found = UPTIME.search(line)
    if found is None:
        return None
    number, unit, others = found.groups()
    seconds, last = _number(number) * _UNITS[unit[0]], _UNITS[unit[0]]
    for number, unit in _PARTS.findall(others) if others else ():
        if _UNITS[unit] >= last:
            return None  # "5m 1h"
        seconds, last = seconds + _number(number) * _UNITS[unit], _UNITS[unit]
    return seconds if seconds < LONGEST_UPTIME else None


def _free_disk(line: str) -> int | None:
    """Bytes."""
    found = FREE_DISK.search(line)
    if found is None:
        return None
    number, unit = found.groups()
    size = _number(number) * _SIZES[unit]
    return round(size) if size <= MOST_BYTES else None


def _number(text: str) -> float:
    return float(text.replace(",", "."))
