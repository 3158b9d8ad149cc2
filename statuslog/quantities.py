"""Durations and sizes as people type them: one grammar for parameters, commands and settings.

Plain Python, as env.py uses it. It must not know what a quantity is for.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction

# What a wrong one should have been, as the end of "must be …" or "set it to …".
DURATION = (
    "a duration: numbers of w(eeks), d(ays), h(ours), m(inutes) and s(econds), the largest unit first, "
    "such as 90s, 15m, 1h30m, 2d or 1w"
)
SIZE = "a number of bytes, or of K, M, G or T (1024 bytes, 1024 K, …), such as 1048576, 500M or 1.5G"
SHARE = f"{SIZE}; or a share of the disk, such as 5%"

UNITS_OF_TIME = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}
UNITS_OF_SIZE = "KMGT"
LARGEST_SIZE = 2**63 - 1  # bytes: what a file system counts with
MICROSECOND = timedelta(microseconds=1)

_NUMBER = r"([0-9]{1,9}(\.[0-9]{1,9})?)"
# It stands in the API's description as well, so it must mean the same in JavaScript. A capital M is no unit: in many
# programs it is a month, and to prune what is older than one minute would be a bad surprise.
DURATION_PATTERN = f"^(?=[0-9]){''.join(f'( ?{_NUMBER} ?{unit})?' for unit in UNITS_OF_TIME)}$"

_DURATION = re.compile(DURATION_PATTERN)
_SIZE = re.compile(rf"([0-9]{{1,19}}(\.[0-9]{{1,9}})?)( ?([{UNITS_OF_SIZE}])i?B?| ?B)?", re.IGNORECASE | re.ASCII)
_SHARE = re.compile(r"([0-9]{1,3}(\.[0-9]{1,9})?) ?%")


def duration(text: str) -> timedelta:
    """Such as 1h30m; raises ValueError, which says what to write. More than timedelta can hold is its largest."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError(DURATION)
    numbers = found.groups()[1::3]
    microseconds = sum(
        Fraction(number) * (unit // MICROSECOND)
        for number, unit in zip(numbers, UNITS_OF_TIME.values(), strict=True)
        if number
    )
    return min(int(microseconds), timedelta.max // MICROSECOND) * MICROSECOND


def is_duration(text: str) -> bool:
    """Whether `duration` takes it."""
    try:
        duration(text)
    except ValueError:
        return False
    return True


def size(text: str) -> int:
    """Such as 1.5G, in bytes; raises ValueError, which says what to write."""
    found = _SIZE.fullmatch(text)
    unit = found[4] if found else None
    if not found or (found[2] and not unit):
        raise ValueError(SIZE)
    count = int(Fraction(found[1]) * 1024 ** (f" {UNITS_OF_SIZE}".index((unit or " ").upper())))
    if count > LARGEST_SIZE:
        raise ValueError(f"{SIZE}, and less than 8,388,608T")
    return count


@dataclass(frozen=True, slots=True)
class Share:
    """So many hundredths of a whole that is known only later."""

    percent: Fraction


def size_or_share(text: str) -> int | Share:
    """A size in bytes, or a Share, such as 5%; raises ValueError, which says what to write."""
    if (found := _SHARE.fullmatch(text)) and Fraction(found[1]) <= 100:
        return Share(Fraction(found[1]))
    try:
        return size(text)
    except ValueError:
        raise ValueError(SHARE) from None


def bytes_of(size: int | Share, whole: int) -> int:
    """A size in bytes, which is a share of `whole` bytes if it is one."""
    return int(size.percent * whole / 100) if isinstance(size, Share) else size
