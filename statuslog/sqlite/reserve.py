"""Room on the disk for a start when the disk is full: SQLite cannot even read without its index of the write-ahead log,
which takes 32 KiB. A start that finds room sets some aside, and one that finds none gives that back."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

SIZE = 256 * 2**10
END = ".reserve"


def is_full(folder: Path) -> bool:
    """Whether what is free may not be enough for a start."""
    try:
        return shutil.disk_usage(folder).free < 2 * SIZE
    except OSError:
        return False


def hold(database: Path) -> None:
    """Set the room aside beside the database, or give it back if the disk is full."""
    file = database.with_name(f"{database.name}{END}")
    with suppress(OSError):  # there is no folder yet, or it cannot be written
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if is_full(database.parent):
                os.ftruncate(descriptor, 0)
            elif os.fstat(descriptor).st_size < SIZE:
                os.posix_fallocate(descriptor, 0, SIZE)
        finally:
            os.close(descriptor)
