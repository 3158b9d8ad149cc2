"""What the log is to keep, as the command `prune` and the settings PRUNE_… say it. Plain Python: settings use it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Self, TypeVar

from statuslog.env import EnvError

UNITS_OF_TIME = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
UNITS_OF_SIZE = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
LONGEST = timedelta(days=365_000)

Value = TypeVar("Value")


def duration(text: str) -> timedelta:
    """Such as 90d; raises ValueError, which says what to write."""
    found = re.fullmatch(r"([0-9]{1,9})([mhdw])", text)
    if not found or int(found[1]) > LONGEST // UNITS_OF_TIME[found[2]]:
        raise ValueError("set it to a number of minutes, hours, days or weeks, such as 90m, 12h, 90d or 8w")
    return int(found[1]) * UNITS_OF_TIME[found[2]]


def count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise ValueError("set it to a whole number, 0 or more")
    return int(text)


def size(text: str) -> int:
    """Such as 1G, in bytes; raises ValueError, which says what to write."""
    found = re.fullmatch(r"([0-9]{1,12})([KMGT]?)", text)
    if not found:
        raise ValueError("set it to a number of bytes, also with K, M, G or T, such as 500M or 1G")
    return int(found[1]) * UNITS_OF_SIZE[found[2]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What is beyond any of them is to be removed; None is no limit."""

    older_than: timedelta | None = None
    keep_last: int | None = None
    max_bytes: int | None = None

    @classmethod
    def of_settings(cls, older_than: str, keep_last: str, max_bytes: str) -> Self:
        """From the values of PRUNE_OLDER_THAN, PRUNE_KEEP_LAST and PRUNE_MAX_BYTES; raises EnvError."""
        return cls(
            _of_setting("PRUNE_OLDER_THAN", older_than, duration),
            _of_setting("PRUNE_KEEP_LAST", keep_last, count),
            _of_setting("PRUNE_MAX_BYTES", max_bytes, size),
        )


def _of_setting(name: str, value: str, read: Callable[[str], Value]) -> Value | None:
    try:
        return read(value) if value else None
    except ValueError as error:
        raise EnvError(name, value, str(error)) from None
