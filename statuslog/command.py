"""What the commands that people run have in common: errors are sentences, questions say which answer they want."""

import os
import sys
from contextlib import suppress
from typing import Any, NoReturn

from django.core.management import BaseCommand, CommandError
from django.core.management.base import CommandParser
from django.db import connections

from statuslog import stopping

NAMES = {"import_log": "import"}  # in manage_all.sh, where that is another one
BROKEN_PIPE = 141  # the exit code that a shell gives to what SIGPIPE has ended


class Command(BaseCommand):
    """A command of `manage_all.sh`: from a command line, what is wrong is one sentence without names of Python."""

    _called_from_command_line: bool  # Django's: false in call_command
    state = "nothing was changed"  # what a person is told whom a signal has made to stop the command now

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
            with stopping.heard():
                printed = super().execute(*args, **options)
                sys.stdout.flush()
                stopping.pending()
        except CommandError as error:
            self._end(str(error), error.returncode)
        except stopping.Stopped as stopped:
            self._end(f"stopped: {self.state}", stopped.code)
        except BrokenPipeError:  # who read the output has ended, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(BROKEN_PIPE)
        return printed

    def _end(self, why: str, code: int) -> NoReturn:
        """End the process now: a usual exit would wait for threads that wait for a lock (filelock.py)."""
        self.stderr.write(why)
        with suppress(OSError):  # nobody reads it any more
            sys.stdout.flush()
            sys.stderr.flush()
        connections.close_all()
        os._exit(code)


def need_yes(question: str, otherwise: str) -> None:
    """Ask; raises CommandError, which begins with `otherwise`, if the answer is not yes."""
    try:
        answer = input(f"{question} Type yes: ").strip()
    except EOFError:
        answer = ""
    if answer != "yes":
        raise CommandError(f"{otherwise}: the answer was {answer!r}, and only yes goes on")
