"""Whether the two stores are equal at their ends, as far as a page has time to look. All that both say takes `verify`.

vstorage is written after the log, so a line that it lacks may be under way: a difference counts when it lasts.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LOOKED_AT = 2**16  # bytes at each end of the file
COMPARED = 2**14  # bytes of the log's last lines: the file may have got newer ones behind them
LOOKS, PAUSE = 4, 0.25  # seconds between two looks at the file


@dataclass(frozen=True, slots=True)
class Ends:
    """The log's first and last lines, and its edition."""

    edition: int = 0
    first: Sequence[str] = ()
    last: Sequence[str] = ()


def last_lines(path: Path) -> list[str]:
    """The last whole lines of the file. Raises OSError."""
    with path.open("rb") as file:
        begin = max(0, file.seek(0, 2) - LOOKED_AT)
        file.seek(begin)
        lines = _lines(file.read(LOOKED_AT))
    return lines[1:] if begin else lines


def difference(path: Path, before: Sequence[str], log: Ends, until: float) -> str:
    """Where the stores differ: at their "beginning", at their "end", or "" if they do not.

    `before`: the file's last lines, read before the log was asked. It takes until the time `until`
    (`time.monotonic()`) at the most. Raises OSError.
    """
    last = _few(log.last)
    if not last:
        return "end" if before else ""
    place = _place(last, before)
    if place is not None and place < len(before):
        return "end"  # the file had lines that the log lacks
    found = place is not None
    for _ in range(LOOKS):
        if found:
            break
        found = _place(last, last_lines(path)) is not None
        if time.monotonic() + PAUSE > until:
            break
        time.sleep(0 if found else PAUSE)
    if not found:
        return "end"
    with path.open("rb") as file:
        first = _lines(file.read(LOOKED_AT))
    shorter = min(len(first), len(log.first))
    return "" if first[:shorter] == list(log.first[:shorter]) else "beginning"


def _lines(data: bytes) -> list[str]:
    """The whole lines of the text."""
    return data.decode(errors="replace").split("\n")[:-1]


def _few(lines: Sequence[str]) -> list[str]:
    """The last lines, of `COMPARED` bytes together."""
    found: list[str] = []
    size = 0
    for line in reversed(lines):
        size += len(line.encode())
        if found and size > COMPARED:
            break
        found.insert(0, line)
    return found


def _place(some: Sequence[str], lines: Sequence[str]) -> int | None:
    """The number of the line behind `some`, where they stand in `lines` for the last time."""
    places = range(len(lines), len(some) - 1, -1)
    return next((end for end in places if list(lines[end - len(some) : end]) == list(some)), None)
