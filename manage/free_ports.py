"""Says which of the NAME=PORT arguments cannot be listened on, and why; exit code 0: all can."""

import socket
import sys

listening: list[socket.socket] = []  # kept open, so that a port named twice is seen
taken: list[str] = []
for argument in sys.argv[1:]:
    listening.append(socket.socket())
    listening[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
    try:
        listening[-1].bind(("127.0.0.1", int(argument.partition("=")[2])))
        listening[-1].listen()
    except OSError as error:
        taken.append(f"{argument} ({error.strerror})")
    except (ValueError, OverflowError):
        taken.append(f"{argument} (not a port)")
if taken:
    sys.exit(", ".join(taken))
