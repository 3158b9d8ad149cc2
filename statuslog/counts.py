"""The numbers that one process counts, in a file that is mapped into its memory and that all may read.

A page of a mapped file that the file system cannot give kills the process which writes to it. So nothing is mapped here
that was not allocated before. Without room the numbers stay in the process, until there is some.
"""

import logging
import mmap
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

log = logging.getLogger(__name__)

FIRST_BYTES = 64 * 1024
ENTRY_BYTES = 4 + 8 + 16  # of an entry beside its key: the key's length, padding, two numbers


class Allocated(MmapedDict):
    """The library's dictionary of numbers, in a file whose blocks are allocated before it is mapped."""

    private: set["Allocated"] = set()  # of this process: those without a file now

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        self._name = filename
        try:
            with open(filename, "ab") as file:
                os.posix_fallocate(file.fileno(), 0, max(FIRST_BYTES, os.fstat(file.fileno()).st_size))
        except OSError as error:
            self._without_file(error)
        else:
            super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]

    def _without_file(self, error: OSError) -> None:
        log.warning("%s: %s; it is counted in memory until there is room", self._name, error.strerror)
        with suppress(OSError):
            Path(self._name).unlink()
        self._f = None  # type: ignore[assignment]
        self._capacity, self._used = FIRST_BYTES, 8
        self._m = mmap.mmap(-1, FIRST_BYTES)
        self._m[:4] = self._used.to_bytes(4, "little")
        self._positions: dict[str, int] = {}
        self.private.add(self)

    def _init_value(self, key: str) -> None:
        while self._used + ENTRY_BYTES + len(key.encode()) > self._capacity:
            self._move(self._capacity * 2)
        super()._init_value(key)  # type: ignore[no-untyped-call]

    def _move(self, capacity: int) -> None:
        """To more room: in the file if there is some, else in memory."""
        held = self._m[: self._used]
        try:
            if self._f is None:
                self._f = open(self._name, "a+b")  # noqa: SIM115 - it stays open
            os.posix_fallocate(self._f.fileno(), 0, capacity)
            self._m = mmap.mmap(self._f.fileno(), capacity)
        except OSError as error:
            if self not in self.private:
                log.warning("%s: %s; it is counted in memory until there is room", self._name, error.strerror)
            if self._f is not None:
                self._f.close()
                self._f = None  # type: ignore[assignment]
            with suppress(OSError):
                Path(self._name).unlink()
            self.private.add(self)
            if capacity > self._capacity:
                self._m = mmap.mmap(-1, capacity)
        else:
            self.private.discard(self)
        self._m[: self._used] = held
        self._capacity = capacity

    def close(self) -> None:
        self.private.discard(self)
        self._m.close()
        if self._f is not None:
            self._f.close()
            self._f = None  # type: ignore[assignment]

    @classmethod
    def settle(cls) -> Iterator[tuple[str, list[tuple[str, float, float, int]]]]:
        """Give those without a file one, if there is room now; the file's name and the values of those that stay."""
        for held in list(cls.private):
            held._move(held._capacity)
            if held in cls.private:
                yield Path(held._name).name, list(held._read_all_values())  # type: ignore[no-untyped-call]
