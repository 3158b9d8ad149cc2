"""Reading a file of lines from its end, to find the place of a time in it.

A line of a record begins with its time in whole seconds; a line that does not goes with the one before it.
"""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime

SECOND = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
LINES = re.compile(rb"[^\n]*\n|[^\n]+")
CHUNK = 64 * 1024


def last_second(descriptor: int, end: int) -> datetime | None:
    """The second that the last whole line before `end` shows."""
    for _, line in _lines(descriptor, end):
        if line.endswith(b"\n") and (second := _second(line)):
            return second
    return None


def offset_of(descriptor: int, since: datetime, end: int) -> int:
    """Where the first line of `since`, a whole second, or later begins; looked for from `end` on."""
    offset = end
    for offset_of_line, line in _lines(descriptor, end):
        if (second := _second(line)) and second < since:
            return offset
        offset = offset_of_line
    return 0


def _lines(descriptor: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Each line before `end` with its offset, from the last to the first; the last may lack its end."""
    rest = b""
    while end:
        start = max(0, end - CHUNK)
        block = os.pread(descriptor, end - start, start) + rest
        lines = LINES.findall(block)
        rest = lines.pop(0) if start else b""  # its beginning is in the block before
        offset = start + len(rest) + sum(map(len, lines))
        for line in reversed(lines):
            offset -= len(line)
            yield offset, line
        end = start


def _second(line: bytes) -> datetime | None:
    if not SECOND.match(line):
        return None
    try:
        return datetime.fromisoformat(line[:19].decode()).replace(tzinfo=UTC)
    except ValueError:
        return None  # the 30th of February: nothing of ours
