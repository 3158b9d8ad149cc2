"""`manage.py verify`: are the two stores equal, and `--repair`."""

import time
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
CHANGE_PATIENCE = 600.0  # for a command that changes the log, such as a long import
PAUSE = 0.5
STORAGE_TIMEOUT = 5.0
OUTBOX_PATIENCE = 5.0  # for records that a busy storage has not taken in time, and takes in a moment


class Command(command.Command):
    help = "Compare the log with vstorage. Exit code 0: equal; 1: not, or not to be found out."
    state = "both stores are as they were"

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
                self.stdout.write(f"{found}\nwriting vstorage again")
                self.state = "vstorage was about to be written again; the services go on with what has begun"
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
        """What is found as soon as no outbox holds a part of the log, of which storage could take more now."""
        deadline = time.monotonic() + OUTBOX_PATIENCE
        while True:
            try:
                return self._compare_editions(recorder, progress, known)
            except (RewriteError, VstorageError) as error:
                if not _waits(error) or time.monotonic() >= deadline or not recorder.storage.is_ready(STORAGE_TIMEOUT):
                    raise
                time.sleep(PAUSE)

    def _compare_editions(
        self, recorder: Recorder, progress: Progress, known: rewrite.Copied | None
    ) -> int | verify.Difference:
        """What is found in one edition of the log, and while no command changes it: that looks like a difference."""
        deadline = time.monotonic() + CHANGE_PATIENCE
        while True:
            with recorder.vstorage.locked(verify.LOCK_TIMEOUT) as file:
                file.need_empty_outboxes()
            if copied := rewrite.follow(recorder, settings.DATA_DIR, progress.of_bytes, patience=REWRITE_PATIENCE):
                progress.end()
                self.stdout.write("vstorage was written again")
                self._tell(copied)
                known = copied
            edition = recorder.vstorage.edition()
            found = verify.compare(recorder, progress.of_bytes, known)
            now, changing = recorder.storage.edition_and_change(STORAGE_TIMEOUT)
            if isinstance(found, int) or (now == edition and not changing):
                return found
            if changing and time.monotonic() >= deadline:
                raise verify.VerifyError(f"a command still changes the log ({changing}); compare again after it")
            time.sleep(PAUSE if changing else 0)

    def _tell(self, copied: rewrite.Copied | None) -> None:
        if copied and copied.aside:
            self.stdout.write(f"what vstorage alone had was kept aside in {copied.aside}")


def _waits(error: BaseException) -> bool:
    """Whether it says that records wait in an outbox."""
    cause = error.__cause__ if isinstance(error, RewriteError) else error
    return isinstance(cause, VstorageError) and cause.reason == "outbox_waiting"
