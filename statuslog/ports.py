"""Which of a service's ports a request came in on. It decides what is served, so no header has a say in it."""

import socket
from collections.abc import Mapping
from typing import Any


def listening_port(environ: Mapping[str, Any]) -> str:
    """The port of the listening socket; "" if it has none.

    gunicorn and runserver put it in SERVER_PORT. For a Unix socket gunicorn puts there what the `Host` header says.
    """
    connection = environ.get("gunicorn.socket")  # the client's, of the same family
    if connection is not None and connection.family == socket.AF_UNIX:
        return ""
    return str(environ.get("SERVER_PORT", ""))
