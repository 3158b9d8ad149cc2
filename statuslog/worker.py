"""gunicorn's threaded worker, for clients that come back at once and for clients that never come to the point.

After an answer gunicorn hands a kept connection back to its main thread, which waits for the next request and
hands it to a thread again: at full load that is half of the interpreter's time. Here the thread stays with the
connection for a moment. And a request whose head takes too long is hung up on: gunicorn would wait for it
without end, and each such client would cost a thread. Answers without an end are ended (streams.py).
"""

import select
import socket
import time
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from statuslog.streams import streams

LINGER_MILLISECONDS = 50
HEAD_SECONDS = 10.0  # after the first byte; without one gunicorn takes the thread back after 5 s


class LingeringWorker(ThreadWorker):
    """`gthread` with a thread that stays for the next request, and a deadline for the head of each."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._reading: dict[TConn, float] = {}  # connections whose request is not there yet, and until when

    def handle(self, conn: TConn) -> Any:
        while True:
            self._reading[conn] = time.monotonic() + HEAD_SECONDS
            try:
                result = super().handle(conn)
            finally:
                self._reading.pop(conn, None)
            # True: kept alive; anything else is for the main thread to see to. And a thread that others may
            # wait for does not linger: with more connections than threads some would never get one.
            crowded = self.nr_conns > self.cfg.threads
            if result is not True or not self.alive or crowded or not _comes_back(conn):
                return result

    def handle_request(self, req: Any, conn: TConn) -> Any:
        self._reading.pop(conn, None)
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Called by the main thread once a second, or more often."""
        super().murder_pending()
        streams.look_after(stopping=not self.alive)
        now = time.monotonic()
        for conn, deadline in list(self._reading.items()):
            if deadline < now:
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)  # its thread reads the end of the stream, and goes on


def _comes_back(conn: TConn) -> bool:
    """Whether the client's next request, or its end, is there within the moment."""
    if conn.parser.unreader.buf.getvalue():
        return True  # it was read together with the one before
    poller = select.poll()
    poller.register(conn.sock, select.POLLIN)
    return bool(poller.poll(LINGER_MILLISECONDS))
