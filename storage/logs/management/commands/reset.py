"""`manage.py reset`: empty the log. vstorage is not storage's: `manage_all.sh reset` empties both at once."""

from typing import Any

from django.db import transaction

from logs import changing
from logs.log_command import LogCommand
from logs.models import Edition, LogRecord
from statuslog.sqlite.commands import ResetCommand


class Command(LogCommand, ResetCommand):
    help = "Delete all records of the log; admin users stay."
    model = LogRecord
    place = "the log"

    def work(self, options: dict[str, Any]) -> None:
        with changing.alone("reset"):
            self.reset(options)

    def delete(self) -> int:
        with transaction.atomic(durable=True):
            Edition.begin()  # who writes vstorage now as the log was has to begin again
            return super().delete()
