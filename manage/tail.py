"""Print the last lines of the log, and with --follow those that come: tail.py URL N [--follow].

Only what Python brings along, and what knows the token: it also runs in service1's container.
"""

import http.client
import sys
from urllib.parse import urlsplit

from statuslog import tokens
from statuslog.env import EnvError


def main(address: str, count: str, *options: str) -> None:
    follow = "&follow=1" if "--follow" in options else ""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)  # a follower hears every 15 s
    try:
        connection.request("GET", f"/log?tail={count}{follow}", headers=tokens.of_the_services())
        answer = connection.getresponse()
        if answer.status != 200:
            sys.exit(f"tail: {answer.read().decode(errors='replace').strip()}")
        for line in answer:
            if line != b"\n":  # the heartbeat
                sys.stdout.buffer.write(line)
                sys.stdout.buffer.flush()
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"tail: service1 does not answer, or no longer: {error}")


try:
    main(*sys.argv[1:])
except EnvError as error:
    sys.exit(f"tail: {error}")
except KeyboardInterrupt:
    sys.exit(130)
