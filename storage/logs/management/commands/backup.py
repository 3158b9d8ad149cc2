"""`manage.py backup`: a checked copy of the database on standard output. `manage_all.sh backup` makes a file of it."""

import hashlib
import os
import sqlite3
import sys
from typing import Any

from django.conf import settings
from django.core.management import CommandError

from logs import copies
from statuslog import command, filelock
from statuslog.words import counted

CHUNK = 2**20


class Command(command.Command):
    help = "Write a copy of the database to standard output, and its number of records and SHA-256 to standard error."

    def handle(self, *args: Any, **options: Any) -> None:
        if sys.stdout.isatty():
            raise CommandError("it writes a database to standard output: send that to a file")
        part = settings.DATA_DIR / "backup.part"
        try:
            live = copies.live_file()
            lock = os.open(settings.DATA_DIR / "backup.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if not filelock.try_lock(lock):
                raise CommandError("another backup is being made")
            try:
                count = copies.copy(live, part)
                copies.check(part)
                digest = hashlib.sha256()
                with part.open("rb") as file:
                    while chunk := file.read(CHUNK):
                        digest.update(chunk)
                        sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
            finally:
                part.unlink(missing_ok=True)
                os.close(lock)
        except (copies.CopyError, sqlite3.Error, OSError) as error:
            raise CommandError(f"no backup was made: {error}") from error
        sys.stderr.write(f"{counted(count)}, sha256 {digest.hexdigest()}\n")
