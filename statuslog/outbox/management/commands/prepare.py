"""`manage.py prepare`: what has to be done before the service can start; harmless to repeat."""

from typing import Any

from statuslog import command
from statuslog.outbox import place
from statuslog.sqlite import SqliteError, check_file
from statuslog.sqlite.commands import prepare_database


class Command(command.Command):
    help = "Make or update the outbox's database; a damaged one is set aside."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            check_file(place.file())
        except SqliteError as error:
            place.set_aside(str(error))
        prepare_database()
