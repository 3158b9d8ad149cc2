"""`manage.py import_log`: bring a file into the log. vstorage is not storage's: `manage_all.sh import` does both."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management import CommandError, CommandParser
from django.db import DatabaseError

from logs import import_lines, import_mark, importing
from logs.importing import Counts
from statuslog import command
from statuslog.progress import Progress


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

    def handle(self, *args: Any, **options: Any) -> None:
        counts, progress = Counts(), Progress(options["progress"])
        stopped = ""
        with import_mark.marked(settings.DATA_DIR), _rare_collections():
            try:
                for read in importing.bring_in(import_lines.lines_of(sys.stdin.buffer), counts, settings.DATA_DIR):
                    share = min(read / options["size"], 1.0) if options["size"] else None
                    progress(share, f"{read / 2**20:,.1f} MiB: {counts}")
            except importing.NoRoom:
                stopped = "too little free disk (MIN_FREE_BYTES)"
            except (DatabaseError, OSError) as error:
                stopped = str(error)
            except KeyboardInterrupt:
                stopped = "interrupted"
            if counts.stored:  # however it has ended: vstorage follows
                import_mark.begin_edition()
        progress.end()
        for rejection in counts.rejections:
            self.stderr.write(rejection)
        if counts.rejected > len(counts.rejections):
            self.stderr.write(f"… and {counts.rejected - len(counts.rejections):,} more")
        self.stdout.write(str(counts))
        if stopped:
            raise CommandError(f"{stopped}. What is stored stays: import the same file again to go on.")
        if counts.rejected:
            raise CommandError("the rejected lines were left out; all others are in the log")
