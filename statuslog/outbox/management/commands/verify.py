"""`manage.py verify`: are the two stores equal, and `--repair`."""

from typing import Any

from django.conf import settings
from django.core.management import CommandError, CommandParser

from statuslog import command, rewrite, verify
from statuslog.outbox.recording import recorder_from_environment
from statuslog.progress import Progress
from statuslog.recorder import Recorder
from statuslog.rewrite import RewriteError
from statuslog.storage_client import StorageError
from statuslog.vstorage import VstorageError
from statuslog.words import counted

REWRITE_PATIENCE = 600.0
STORAGE_TIMEOUT = 5.0


class Command(command.Command):
    help = "Compare the log with vstorage. Exit code 0: equal; 1: not, or not to be found out."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--repair", action="store_true", help="make vstorage the copy of the log again")
        parser.add_argument("--progress", action="store_true", help="draw the bar although stderr is no terminal")

    def handle(self, *args: Any, **options: Any) -> None:
        recorder, _ = recorder_from_environment(settings.SERVICE)
        progress = Progress(options["progress"])
        try:
            found = self._compare(recorder, progress)
            if isinstance(found, verify.Difference) and options["repair"]:
                progress.end()
                self.stdout.write(f"{found}\nwriting vstorage anew")
                known = rewrite.follow(
                    recorder, settings.DATA_DIR, progress.of_bytes, patience=REWRITE_PATIENCE, always=True
                )
                self._tell(known)
                found = self._compare(recorder, progress, known)
        except (verify.VerifyError, RewriteError, StorageError, VstorageError) as error:
            raise CommandError(str(error)) from error
        finally:
            progress.end()
        if isinstance(found, verify.Difference):
            raise CommandError(f"{found}\n`verify --repair` makes vstorage the copy of the log.")
        self.stdout.write(f"equal, {counted(found)}")

    def _compare(
        self, recorder: Recorder, progress: Progress, known: rewrite.Copied | None = None
    ) -> int | verify.Difference:
        """What is found in one edition of the log: one that begins meanwhile looks like a difference."""
        while True:
            with recorder.vstorage.locked(verify.LOCK_TIMEOUT) as file:
                file.need_empty_outboxes()
            if copied := rewrite.follow(recorder, settings.DATA_DIR, progress.of_bytes, patience=REWRITE_PATIENCE):
                progress.end()
                self.stdout.write("vstorage was written anew")
                self._tell(copied)
                known = copied
            edition = recorder.vstorage.edition()
            found = verify.compare(recorder, progress.of_bytes, known)
            if isinstance(found, int) or recorder.storage.edition(STORAGE_TIMEOUT) == edition:
                return found

    def _tell(self, copied: rewrite.Copied | None) -> None:
        if copied and copied.aside:
            self.stdout.write(f"what vstorage alone had was kept aside in {copied.aside}")
