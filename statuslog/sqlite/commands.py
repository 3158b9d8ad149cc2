"""What the services' commands `prepare` and `reset` have in common."""

from io import StringIO
from typing import Any

from django.core.management import CommandError, CommandParser, call_command
from django.db.models import Model

from statuslog import stopping
from statuslog.command import Command
from statuslog.database import DatabaseRefused, engine
from statuslog.words import counted


def prepare_database() -> None:
    """Make or update the database, after a look at what is there; raises CommandError. Harmless to repeat."""
    # gunicorn reads it again; here a value that it cannot run with ends in one line and not in a stack trace.
    from statuslog import gunicorn_conf  # noqa: F401

    try:
        engine.check()
        call_command("check", stdout=StringIO())  # what is wrong is an error or goes to stderr
        with engine.alone():  # replicas that start together, and find the same migrations missing
            call_command("migrate", verbosity=0, interactive=False)
    except DatabaseRefused as error:
        raise CommandError(str(error)) from error


class ResetCommand(Command):
    """Deletes all rows of `model`, which people know as the records of `place`."""

    model: type[Model]
    place: str
    state = "nothing was deleted"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        self.reset(options)

    def reset(self, options: dict[str, Any]) -> None:
        call_command("migrate", verbosity=0, interactive=False)  # before the first start there is nothing
        rows = self.model._default_manager.all()
        question = f"Delete {counted(rows.count())} of {self.place}? [y/N] "
        if not options["yes"] and input(question).lower() != "y":
            raise CommandError("nothing was deleted")
        with stopping.shielded():
            deleted = self.delete()
            self.state = f"deleted {counted(deleted)} of {self.place}"
            self.stdout.write(self.state)

    def delete(self) -> int:
        """Delete all rows; returns how many."""
        deleted, _ = self.model._default_manager.all().delete()
        return deleted
