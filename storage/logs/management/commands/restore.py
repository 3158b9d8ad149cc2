"""`manage.py restore`: check a copy of the database, and put it in place. `manage_all.sh restore` asks in between."""

import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError, CommandParser
from django.db import Error

from logs import changing, copies
from logs.log_command import LogCommand
from logs.models import LogRecord
from statuslog import stopping
from statuslog.words import counted

CHUNK = 2**20


class Command(LogCommand):
    help = "Let the log be what a backup has kept. It works while the system runs, and keeps the old database."
    state = "nothing was restored"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--size", type=int, required=True, help="so many bytes of standard input are the backup")
        parser.epilog = "After them comes a line, the answer: yes puts the backup in place."

    def work(self, options: dict[str, Any]) -> None:
        part = settings.DATA_DIR / "restore.part"
        try:
            copies.live_file()
            # Of two at once one is a mistake: the second does not wait for the first, to undo it at once.
            with changing.alone("restore", against="restore") as change:
                try:
                    self._check(part, options["size"])
                    if sys.stdin.buffer.readline().strip() != b"yes":
                        raise CommandError("nothing was restored")
                    self._put(part)
                finally:
                    copies.remove(part)
                change.end()
                self.stdout.write("")
                self.stdout.flush()
                sys.stdin.buffer.read()  # until vstorage has followed
        except (copies.CopyError, sqlite3.Error, Error, OSError) as error:
            raise CommandError(f"{error}; nothing was restored") from error

    def _check(self, part: Path, size: int) -> None:
        copies.remove(part)  # of one who was killed
        with copies.new_file(part).open("r+b") as file:
            while size and (chunk := sys.stdin.buffer.read(min(CHUNK, size))):
                size -= file.write(chunk)
        if size:
            raise copies.CopyError("the backup did not arrive whole")
        count = copies.make_ready(part)
        self.stdout.write(f"the backup has {counted(count)}, the log has {LogRecord.objects.count():,}")
        self.stdout.flush()

    def _put(self, part: Path) -> None:
        old = settings.DATA_DIR / f"before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.sqlite3"
        with stopping.shielded():  # what is half put cannot be told from what was put
            try:
                count = copies.put_in_place(part, old)
            except BaseException:
                old.unlink(missing_ok=True)
                raise
            kept = sorted(old.parent.glob("before-restore-*.sqlite3"))
            self.state = "the backup was restored, and vstorage follows"
            self.stdout.write(f"restored; the old database, {counted(count)}, is kept in {old}")
            if others := len(kept) - 1:
                size = sum(file.stat().st_size for file in kept) / 2**20
                what = "this one" if others == 1 else f"these {others}"
                self.stdout.write(
                    f"{counted(others, 'older one')} beside it, {size:,.1f} MiB with it: remove {what} when not needed"
                )
