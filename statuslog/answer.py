"""An answer that is under way, and can go on in another thread: between two parts no thread is needed for it."""

from collections.abc import Iterator
from contextvars import Context, copy_context
from typing import Any

from gunicorn import util
from gunicorn.http.wsgi import Response, create

from statuslog import tracing
from statuslog.connection import Connection


class _Response(Response):
    """gunicorn's, which gives what is to be sent to the connection instead of waiting for the client."""

    headers_sent: bool

    def __init__(self, request: Any, sock: Any, cfg: Any, connection: Connection) -> None:
        super().__init__(request, sock, cfg)
        self._connection = connection

    def send_headers(self) -> None:
        if self.headers_sent:
            return
        lines = [*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers), "\r\n"]
        self._connection.put(util.to_bytestring("".join(lines), "latin-1"))
        self.headers_sent = True

    def _emit_body(self, data: bytes) -> None:
        if self.chunked:
            self._connection.put(f"{len(data):X}\r\n".encode(), data, b"\r\n")
        else:
            self._connection.put(data)

    def close(self) -> None:
        self.send_headers()
        if self.chunked:
            self._connection.put(b"0\r\n\r\n")


class Answer:
    """The application's answer to a request, part by part."""

    def __init__(self, request: Any, connection: Connection, cfg: Any) -> None:
        request._expected_100_continue = False  # the connection has seen to it
        created = create(request, connection.sock, connection.client, connection.server, cfg, _Response, (connection,))
        self.response, self._environ = created
        self._environ["wsgi.multithread"] = True
        self._parts: Any = None
        self._iterator: Iterator[bytes] | None = None
        self._context: Context | None = None
        self.number = 0  # of parts that were made

    def begin(self, application: Any) -> None:
        self._parts = application(self._environ, self.response.start_response)
        self._iterator = iter(self._parts)

    def next_part(self) -> bool:
        """Make one more part and put it in the connection; whether there was one."""
        context = self._context
        return self._next_part() if context is None else context.run(self._next_part)

    def _next_part(self) -> bool:
        assert self._iterator is not None
        for part in self._iterator:
            self.response.write(part)
            self.number += 1
            return True
        self.response.close()
        return False

    def leave(self) -> None:
        """This thread does something else now; another one may go on."""
        if self._context is None:
            self._context = copy_context()
            tracing.end()

    def close(self) -> None:
        """The application is told that its answer is over; harmless to repeat."""
        parts, self._parts, self._iterator = self._parts, None, None
        if hasattr(parts, "close"):
            self._context.run(parts.close) if self._context else parts.close()
