"""`manage.py import_log`: bring a file into the log. vstorage is not storage's: `manage_all.sh import` does both."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from django.conf import settings
from django.core.management import CommandError, CommandParser
from django.db import DatabaseError

from logs import import_lines, import_mark, importing
from logs.importing import Counts
from statuslog import command
from statuslog.progress import Progress

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


class Command(command.Command):
    help = "Store the lines of stdin that the log does not have. Exit code 1: some were rejected, or it had to stop."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--size", type=int, help="the bytes that will come, for the progress bar")
        parser.add_argument("--progress", action="store_true", help="draw it although stderr is no terminal")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be stored")

    def handle(self, *args: Any, **options: Any) -> None:
        counts, progress = Counts(), Progress(options["progress"])
        dry_run, refused, stopped = options["dry_run"], False, ""
        lines = import_lines.lines_of(sys.stdin.buffer)
        with nullcontext() if dry_run else import_mark.marked(settings.DATA_DIR), _rare_collections():
            try:
                for read in importing.bring_in(lines, counts, settings.DATA_DIR, dry_run=dry_run):
                    share = min(read / options["size"], 1.0) if options["size"] else None
                    progress(share, f"{read / 2**20:,.1f} MiB: {counts}")
            except importing.NoLog:
                refused = True
            except importing.NoRoom:
                stopped = "too little free disk (MIN_FREE_BYTES)"
            except (DatabaseError, OSError) as error:
                stopped = str(error)
            except KeyboardInterrupt:
                stopped = "interrupted"
            if counts.stored and not dry_run:  # however it has ended: vstorage follows
                import_mark.begin_edition()
        progress.end()
        for rejection in counts.rejections:
            self.stderr.write(rejection)
        if counts.rejected > len(counts.rejections):
            self.stderr.write(f"… and {counts.rejected - len(counts.rejections):,} more")
        self.stdout.write(f"would have {counts}" if dry_run else str(counts))
        if refused:
            raise CommandError(f"none of the first {importing.FIRST} lines is a record; nothing was stored. {WANTED}")
        if stopped:
            raise CommandError(f"{stopped}. What is stored stays: import the same file again to go on.")
        if counts.rejected and dry_run:
            raise CommandError(f"the rejected lines would be left out. {WANTED}")
        if counts.rejected:
            raise CommandError(f"the rejected lines were left out; all others are in the log. {WANTED}")
