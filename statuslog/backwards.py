"""Reading a file of lines from its end, to find the place of a time in it.

The lines stand in the order of their times. A line's time may stand anywhere in it, and in any of the forms that
times.py knows; a line without one goes with the line before it.
"""

import os
import re
from collections.abc import Iterator
from datetime import datetime

from statuslog.times import find_time

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
    time = find_time(line.decode(errors="replace"))
    return time and time.replace(microsecond=0)
