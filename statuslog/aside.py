"""Keeps aside what vstorage alone has, before the file is written as the copy of a log that lacks it.

What is kept lies between what both begin with and what both end with: all that the log lacks, and of a file that
differs in several places also what is between them. Memory does not grow with the file.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from statuslog.peer import CHUNK

Read = Callable[[int, int], bytes]  # from, to


def keep(file: Path, size: int, copy: IO[bytes], folder: Path) -> Path | None:
    """Write those of the file's first `size` bytes that the copy of the log lacks to a new file of the folder; returns
    its path, None if there are none. Raises OSError."""
    length = copy.seek(0, os.SEEK_END)
    with file.open("rb") as source:
        size = min(size, source.seek(0, os.SEEK_END))
        begin = _equal_at_begin(_reader(source), size, _reader(copy), length)
        end = size - _equal_at_end(_reader(source), size, _reader(copy), length, begin)
        if begin >= end:
            return None
        kept = folder / f"vstorage-kept-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
        descriptor = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            for start in range(begin, end, CHUNK):
                target.write(_reader(source)(start, min(end, start + CHUNK)))
            target.flush()
            os.fsync(descriptor)
    return kept


def _reader(file: IO[bytes]) -> Read:
    def read(start: int, end: int) -> bytes:
        file.seek(start)
        return file.read(end - start)

    return read


def _equal_at_begin(left: Read, left_size: int, right: Read, right_size: int) -> int:
    """The length of the whole lines that both begin with."""
    place, whole, most = 0, 0, min(left_size, right_size)
    while place < most:
        end = min(most, place + CHUNK)
        one, other = left(place, end), right(place, end)
        length = end - place if one == other else _equal(one, other)
        if newline := one.rfind(b"\n", 0, length) + 1:
            whole = place + newline
        if one != other:
            break
        place = end
    return whole


def _equal_at_end(left: Read, left_size: int, right: Read, right_size: int, begin: int) -> int:
    """The length of the whole lines that both end with, behind the first `begin` bytes of both."""
    most, length = min(left_size, right_size) - begin, 0
    while length < most:
        more = min(most, length + CHUNK)
        one = left(left_size - more, left_size - length)
        other = right(right_size - more, right_size - length)
        if one != other:
            length += _equal(one[::-1], other[::-1])
            break
        length = more
    if all(
        size - length == begin or read(size - length - 1, size - length) == b"\n"
        for read, size in ((left, left_size), (right, right_size))
    ):
        return length
    # The first line is equal in its end only.
    for start in range(left_size - length, left_size, CHUNK):
        if (newline := left(start, min(left_size, start + CHUNK)).find(b"\n")) >= 0:
            return left_size - start - newline - 1
    return 0


def _equal(one: bytes, other: bytes) -> int:
    """How many bytes both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
