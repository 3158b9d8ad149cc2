"""`manage.py restore`: check a copy of the database, put it in place. `manage_all.sh restore` asks in between."""

import shutil
import sqlite3
import sys
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management import CommandError, CommandParser
from django.db import Error

from logs import copies
from logs.models import LogRecord
from statuslog import command
from statuslog.words import counted


class Command(command.Command):
    help = "Let the log be what a backup has kept. It works while the system runs, and keeps the old database."

    def add_arguments(self, parser: CommandParser) -> None:
        steps = {"check": "read the backup from standard input", "put": "put it in place", "drop": "forget it"}
        shown = "; ".join(f"{name}: {what}" for name, what in steps.items())
        parser.add_argument("step", choices=steps, help=shown)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            copies.live_file()
            getattr(self, f"_{options['step']}")()
        except (copies.CopyError, sqlite3.Error, Error, OSError) as error:
            raise CommandError(f"{error}; nothing was restored") from error

    @property
    def _part(self) -> Any:
        return settings.DATA_DIR / "restore.part"

    def _check(self) -> None:
        try:
            self._part.unlink(missing_ok=True)
            with self._part.open("xb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
            count = copies.make_ready(self._part)
        except BaseException:
            self._drop()
            raise
        self.stdout.write(f"the backup has {counted(count)}, the log has {LogRecord.objects.count():,}")

    def _put(self) -> None:
        if not self._part.exists():
            raise CommandError("no backup was checked; nothing was restored")
        old = settings.DATA_DIR / f"before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.sqlite3"
        try:
            count = copies.put_in_place(self._part, old)
        except BaseException:
            old.unlink(missing_ok=True)
            raise
        finally:
            self._drop()
        self.stdout.write(f"restored; the old database, {counted(count)}, is kept in {old}")

    def _drop(self) -> None:
        for end in ("", "-wal", "-shm", "-journal", ".lock"):
            self._part.with_name(f"{self._part.name}{end}").unlink(missing_ok=True)
