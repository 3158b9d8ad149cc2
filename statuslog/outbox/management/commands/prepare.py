"""`manage.py prepare`: what has to be done before the service can start; harmless to repeat."""

from typing import Any

from statuslog import command
from statuslog.sqlite.commands import prepare_database


class Command(command.Command):
    help = "Make or update the outbox's database."

    def handle(self, *args: Any, **options: Any) -> None:
        prepare_database()
