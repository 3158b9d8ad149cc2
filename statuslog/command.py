"""What the commands that people run have in common: errors are sentences, questions say which answer they want."""

import os
import sys
from typing import Any, NoReturn

from django.core.management import BaseCommand, CommandError
from django.core.management.base import CommandParser

NAMES = {"import_log": "import"}  # in manage_all.sh, where that is another one
BROKEN_PIPE = 141  # the exit code that a shell gives to what SIGPIPE has ended


class Command(BaseCommand):
    """A command of `manage_all.sh`: from a command line, what is wrong is one sentence without names of Python."""

    _called_from_command_line: bool  # Django's: false in call_command

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        if self._called_from_command_line:
            name = NAMES.get(subcommand, subcommand)

            def refuse(message: str) -> NoReturn:
                wrong = message.removeprefix("argument ")
                sys.stderr.write(f"manage_all.sh {name}: {wrong}; see ./manage_all.sh {name} --help\n")
                sys.exit(2)

            parser.error = refuse  # type: ignore[method-assign]
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        if not self._called_from_command_line:
            return super().execute(*args, **options)
        try:
            printed = super().execute(*args, **options)
            sys.stdout.flush()
        except CommandError as error:
            self.stderr.write(str(error))
            sys.exit(error.returncode)
        except BrokenPipeError:  # who read the output has ended, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(BROKEN_PIPE)
        return printed


def need_yes(question: str, otherwise: str) -> None:
    """Ask; raises CommandError, which begins with `otherwise`, if the answer is not yes."""
    try:
        answer = input(f"{question} Type yes: ").strip()
    except EOFError:
        answer = ""
    if answer != "yes":
        raise CommandError(f"{otherwise}: the answer was {answer!r}, and only yes goes on")
