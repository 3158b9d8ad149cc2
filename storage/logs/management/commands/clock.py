"""`manage.py clock` of storage: records whose time has not come yet. `manage_all.sh clock` has vstorage follow."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError, CommandParser
from django.db import Error, transaction
from django.db.models import QuerySet

from logs import changing, forms
from logs.log_command import LogCommand
from logs.models import Edition, Fence, LogRecord
from logs.serializers import record_of
from statuslog.record import AHEAD
from statuslog.words import counted


class Command(LogCommand):
    help = "Count the records whose time has not come yet; --repair takes them out of the log, into a file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--repair", action="store_true", help="take them out of the log, into a file")

    def work(self, options: dict[str, Any]) -> None:
        now = datetime.now(UTC)
        early = LogRecord.objects.filter(timestamp__gt=now + AHEAD)
        if options["repair"]:
            try:
                with changing.alone("clock"):
                    self._repair(early, now)
            except (Error, OSError) as error:
                raise CommandError(f"{error}; nothing was changed") from error
        else:
            self.stdout.write(f"storage: {counted(early.count())} in the log from after now")

    def _repair(self, early: QuerySet[LogRecord], now: datetime) -> None:
        file = Path(settings.DATA_DIR) / f"clock-{now:%Y%m%dT%H%M%S}.ndjson"
        with transaction.atomic():
            # The services' batches of now come before a fence that was set by the same clock.
            Fence.objects.filter(timestamp__gt=now).delete()
            if not early.exists():
                self.stdout.write("storage: no record in the log is from after now")
                return
            with file.open("x", encoding="utf-8") as kept:
                file.chmod(0o600)
                kept.writelines(forms.lines([record_of(row)]) for row in early.iterator())
                kept.flush()
                os.fsync(kept.fileno())
            count, _ = early.delete()
            Edition.begin()
        self.stdout.write(f"storage: took {counted(count)} from after now out of the log, into {file}")
