"""A copy of a database whose file was removed or replaced while this process has it open: all that was committed to it.

What SQLite has open lasts as long as the process (placed.py). This is for a database whose rows are nowhere else.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from statuslog.sqlite import placed


def is_displaced(file: Path) -> bool:
    """A connection of this process has a file open that was at this path and is not there any more."""
    return bool(placed.displaced(file))


@contextmanager
def rescued(file: Path) -> Iterator[Path]:
    """The path of a copy beside `file`, which is removed after the block; raises OSError, sqlite3.Error.

    What belonged to the lost file is out of the way then: a new one can be put at its path.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy = file.with_name(f"{file.name}.rescued-{os.getpid()}-{threading.get_ident()}")
    try:
        os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, placed.MODE))
        with closing(sqlite3.connect(copy)) as target:
            placed.copy_displaced(file, target)
            target.execute("PRAGMA journal_mode=WAL")
        yield copy
    finally:
        with suppress(FileNotFoundError):
            copy.unlink()
