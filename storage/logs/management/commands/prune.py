"""`manage.py prune`: remove the oldest records. `manage_all.sh prune` has vstorage follow."""

import argparse
from collections.abc import Callable
from typing import Any

from django.core.management import CommandError, CommandParser
from django.db import Error

from logs import changing, limits, pruning
from logs.limits import Limits
from logs.log_command import LogCommand
from statuslog import quantities, stopping
from statuslog.command import need_yes
from statuslog.progress import Progress
from statuslog.record import show_timestamp
from statuslog.words import counted


def _argument(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def reader(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r}: must be {error}") from None

    return reader


class Command(LogCommand):
    help = "Remove the oldest records of the log, while the system runs."
    state = "nothing was removed"

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--older-than", type=_argument(limits.age), help="remove what is older, such as 90d")
        what.add_argument("--keep-last", type=_argument(limits.count), help="keep so many records")
        what.add_argument(
            "--max-bytes", type=_argument(quantities.size), help="keep so many bytes of lines, such as 1G"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument("--progress", action="store_true", help="draw the bar although stderr is no terminal")

    def work(self, options: dict[str, Any]) -> None:
        try:
            with changing.alone("prune"):
                self._begin(options)
            if not options["dry_run"]:
                self._finish(Progress(options["progress"]))
        except (Error, OSError) as error:
            raise CommandError(f"{error}; what was removed stays so, and the same again goes on") from error

    def _begin(self, options: dict[str, Any]) -> None:
        found = pruning.plan(Limits(options["older_than"], options["keep_last"], options["max_bytes"]))
        if found is None:
            self.stdout.write("nothing to remove")
            return
        what = f"{found.count:,} of {counted(found.total)}, all before {show_timestamp(found.before)}"
        if options["dry_run"]:
            self.stdout.write(f"would remove {what}")
            return
        if not options["yes"]:
            need_yes(f"Remove {what}, for good?", "nothing was removed")
        with stopping.shielded():
            pruning.begin(found)
            self.state = "the records are out of the log, vstorage follows, and storage deletes what is left of them"
            self.stdout.write(f"removed {what}")
        stopping.pending()

    def _finish(self, progress: Progress) -> None:
        with pruning.alone() as alone:
            if not alone:
                self.stdout.write("storage is deleting already, and deletes these too")
                return
            try:
                pruning.finish(lambda done, total: progress(done / max(total, 1), f"of {counted(total)}"))
            finally:
                progress.end()
