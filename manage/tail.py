"""Print the last lines of the log, and with --follow those that come: tail.py URL N [--follow].

Only what Python brings along, and what knows the token: it also runs in service1's container.
"""

import http.client
import os
import sys
from urllib.parse import urlsplit

from statuslog import tokens
from statuslog.env import EnvError

BROKEN_PIPE = 141  # the exit code that a shell gives to what SIGPIPE has ended


class NoAnswer(Exception):
    """service1 gave no answer, or stopped giving it; the text says what happened."""


def main(address: str, count: str, *options: str) -> None:
    follow = "&follow=1" if "--follow" in options else ""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)  # a follower hears every 15 s
    answer = ask(connection, f"/log?tail={count}{follow}")
    if answer.status != 200:
        sys.exit(f"tail: {answer.read().decode(errors='replace').strip()}")
    while line := read(answer):
        if line != b"\n":  # the heartbeat
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()


def ask(connection: http.client.HTTPConnection, path: str) -> http.client.HTTPResponse:
    try:
        connection.request("GET", path, headers=tokens.of_the_services())
        return connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"service1 does not answer ({reason(error)}); ./manage_all.sh status shows how it is") from error


def read(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.readline()
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"service1 no longer answers ({reason(error)}); the same command begins again") from error


def reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or "the connection broke off").lower()


try:
    main(*sys.argv[1:])
except (EnvError, NoAnswer) as error:
    sys.exit(f"tail: {error}")
except BrokenPipeError:  # who read the output has ended, as `head` does
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(BROKEN_PIPE)
except KeyboardInterrupt:
    sys.exit(130)
