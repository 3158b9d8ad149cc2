"""What the log is to keep, as the command `prune` and the settings PRUNE_… say it. Plain Python: settings use it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Self, TypeVar

from statuslog import quantities
from statuslog.env import EnvError

# Before which there is nothing to count days from.
LONGEST = timedelta(days=365_000)

Value = TypeVar("Value")


def age(text: str) -> timedelta:
    """Such as 90d; raises ValueError, which says what to write."""
    found = quantities.duration(text)
    if found > LONGEST:
        raise ValueError(f"{quantities.DURATION}, and at most {LONGEST.days}d")
    return found


def count(text: str) -> int:
    """Raises ValueError, which says what to write."""
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise ValueError("a whole number, 0 or more")
    return int(text)


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
            _of_setting("PRUNE_OLDER_THAN", older_than, age),
            _of_setting("PRUNE_KEEP_LAST", keep_last, count),
            _of_setting("PRUNE_MAX_BYTES", max_bytes, quantities.size),
        )


def _of_setting(name: str, value: str, read: Callable[[str], Value]) -> Value | None:
    try:
        return read(value) if value else None
    except ValueError as error:
        raise EnvError(name, value, f"set it to {error}") from None
