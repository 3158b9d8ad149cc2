"""`manage.py verify`: are the two stores equal, and `--repair`."""

import sys
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser

from statuslog import rewrite, verify
from statuslog.outbox.recording import recorder_from_environment
from statuslog.recorder import Recorder
from statuslog.rewrite import RewriteError
from statuslog.storage_client import StorageError
from statuslog.vstorage import VstorageError

REWRITE_PATIENCE = 600.0
STORAGE_TIMEOUT = 5.0


class Command(BaseCommand):
    help = "Compare the log with vstorage. Exit code 0: equal; 1: not, or not to be found out."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--repair", action="store_true", help="make vstorage the copy of the log again")

    def handle(self, *args: Any, **options: Any) -> None:
        recorder, _ = recorder_from_environment(settings.SERVICE)
        try:
            found = self._compare(recorder)
            if isinstance(found, verify.Difference) and options["repair"]:
                self._end_progress()
                self.stdout.write(f"{found}\nrepairing vstorage from there on")
                verify.repair(recorder, found, self._progress)
                found = self._compare(recorder)
        except (verify.VerifyError, RewriteError, StorageError, VstorageError) as error:
            raise CommandError(str(error)) from error
        finally:
            self._end_progress()
        if isinstance(found, verify.Difference):
            raise CommandError(f"{found}\n`verify --repair` makes vstorage the copy of the log.")
        self.stdout.write(f"equal, {found:,} records")

    def _compare(self, recorder: Recorder) -> int | verify.Difference:
        """What is found in one edition of the log: one that begins meanwhile looks like a difference."""
        while True:
            with recorder.vstorage.locked(verify.LOCK_TIMEOUT) as file:
                file.need_empty_outboxes()
            if rewrite.follow(recorder, settings.DATA_DIR, self._progress, patience=REWRITE_PATIENCE):
                self._end_progress()
                self.stdout.write("vstorage was written anew")
            edition = recorder.vstorage.edition()
            found = verify.compare(recorder, self._progress)
            if isinstance(found, int) or recorder.storage.edition(STORAGE_TIMEOUT) == edition:
                return found

    def _progress(self, done: int, size: int) -> None:
        if sys.stderr.isatty():
            share = done / size if size else 1.0
            sys.stderr.write(f"\r[{'#' * int(40 * share):40}] {share:4.0%} of {size / 2**20:,.1f} MiB ")

    def _end_progress(self) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
