"""`manage.py backup`: a checked copy of the database on standard output. `manage_all.sh backup` makes a file of it."""

import hashlib
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError

from logs import copies
from logs.log_command import LogCommand
from statuslog import filelock
from statuslog.words import counted

CHUNK = 2**20
PATIENCE = 60.0  # seconds to wait for another backup, as of a timer


class Command(LogCommand):
    help = "Write a copy of the database to standard output, and its number of records and SHA-256 to standard error."
    state = "no backup was made"

    def work(self, options: dict[str, Any]) -> None:
        if sys.stdout.isatty():
            raise CommandError("it writes a database to standard output: send that to a file")
        part = settings.DATA_DIR / "backup.part"
        try:
            live = copies.live_file()
            with self._alone():
                try:
                    count = copies.copy(live, part)
                    copies.check(part)
                    digest = _written(part)
                finally:
                    copies.remove(part)
        except (copies.CopyError, sqlite3.Error, OSError) as error:
            raise CommandError(f"no backup was made: {error}") from error
        sys.stderr.write(f"{counted(count)}, sha256 {digest}\n")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One backup at a time, as each needs the room of a copy. Nothing else is held up."""
        lock = os.open(settings.DATA_DIR / "backup.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            filelock.lock(lock, PATIENCE)
            yield
        except TimeoutError:
            raise CommandError("another backup is under way; wait for its end, and try again") from None
        finally:
            os.close(lock)


def _written(part: Path) -> str:
    """Write the copy to standard output; returns its SHA-256."""
    digest = hashlib.sha256()
    with part.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()
    return digest.hexdigest()
