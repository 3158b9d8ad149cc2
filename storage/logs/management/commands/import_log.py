"""`manage.py import_log`: bring a file into the log. vstorage is not storage's: `manage_all.sh import` does both."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from django.conf import settings
from django.core.management import CommandError, CommandParser
from django.db import DatabaseError

from logs import changing, import_lines, import_mark, importing
from logs.importing import Counts
from logs.log_command import LogCommand
from statuslog.progress import Progress
from statuslog.stopping import Stopped

WANTED = (
    "A line needs a time with its zone, such as: "
    "2025-09-26T16:45:06Z: uptime 8.907 hours, free disk in root: 36207.74 MBytes"
)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """What each line is made of has no cycles, and to look for some costs a tenth of the time."""
    usual = gc.get_threshold()
    gc.set_threshold(100_000)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


@contextmanager
def _changing() -> Iterator[None]:
    with changing.alone("import", shared=True), import_mark.marked(settings.DATA_DIR):
        yield


class Command(LogCommand):
    help = "Store the lines of stdin that the log does not have. Exit code 1: some were rejected, or it had to stop."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--size", type=int, help="the bytes that will come, for the progress bar")
        parser.add_argument("--progress", action="store_true", help="draw it although stderr is no terminal")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be stored")

    def work(self, options: dict[str, Any]) -> None:
        counts, progress, dry_run = Counts(), Progress(options["progress"]), options["dry_run"]
        with nullcontext() if dry_run else _changing(), _rare_collections():
            why = self._store(counts, progress, options["size"], dry_run=dry_run)
            # However it has ended, vstorage follows. A signal may have come between storing a chunk and counting it.
            if (counts.stored or (why and why.returncode > 1)) and not dry_run:
                import_mark.begin_edition()
        progress.end()
        for rejection in counts.rejections:
            self.stderr.write(rejection)
        if counts.rejected > len(counts.rejections):
            self.stderr.write(f"… and {counts.rejected - len(counts.rejections):,} more")
        self.stdout.write(f"would have {counts}" if dry_run else str(counts))
        if why:
            raise why
        if counts.rejected and dry_run:
            raise CommandError(f"the rejected lines would be left out. {WANTED}")
        if counts.rejected:
            raise CommandError(f"the rejected lines were left out; all others are in the log. {WANTED}")

    def _store(self, counts: Counts, progress: Progress, size: int | None, *, dry_run: bool) -> CommandError | None:
        """Why it had to stop before the end."""
        code = 1
        try:
            lines = import_lines.lines_of(sys.stdin.buffer)
            for read in importing.bring_in(lines, counts, settings.DATA_DIR, dry_run=dry_run):
                progress(min(read / size, 1.0) if size else None, f"{read / 2**20:,.1f} MiB: {counts}")
            return None
        except importing.NoLog:
            return CommandError(f"none of the first {importing.FIRST} lines is a record; nothing was stored. {WANTED}")
        except importing.NoRoom:
            why = "too little free disk (MIN_FREE_BYTES)"
        except (DatabaseError, OSError) as error:
            why = str(error)
        except Stopped as stopped:
            why, code = "stopped", stopped.code
        return CommandError(f"{why}. What is stored stays: import the same file again to go on.", returncode=code)
