"""What the commands that work on the log have in common."""

from typing import Any

from django.conf import settings
from django.core.management import CommandError

from logs import in_use
from logs.changing import UnderWay
from statuslog import command


class LogCommand(command.Command):
    """A command that works on the database of the running storage, and on no other."""

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            in_use.check(settings.DATA_DIR, settings.DATABASES["default"])
            self.work(options)
        except (in_use.OtherDatabase, UnderWay) as error:
            raise CommandError(f"{error}; nothing was changed") from error

    def work(self, options: dict[str, Any]) -> None:
        """What the command does; may raise UnderWay, before it has changed anything."""
        raise NotImplementedError
