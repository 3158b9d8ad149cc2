"""One client's connection: what has arrived of its next request, and what the client has not taken of the last answer.

Nothing here waits for the client: the worker's main thread does that (worker.py), for all connections together.
"""

import re
import select
import time
from typing import Any

from gunicorn.http.body import LengthReader
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import Unreader
from gunicorn.workers.gthread import TConn

from statuslog import env

HEAD_BYTES = 32 * 1024  # of a request line with its headers; each header has gunicorn's own limit, too
LINE_BYTES = 8190 + 4  # of a request line: gunicorn's limit and line ends
BODY_BYTES = env.size("MAX_BODY_BYTES", 2**20, minimum=1)  # a longer body is refused unread
PIECE = 64 * 1024  # of one read
STRANGE_BODY_SECONDS = 3.0  # for a body that we did not wait for: in chunks, or too long. No view of ours reads one

_LINE = re.compile(rb"(?:\r\n)?[^ \r\n]+ [^ \r\n]+ HTTP/\d\.\d\r\n")
_LOG = re.compile(rb"(?:\r\n)?GET [^ ?]*/log[ ?]")
_BARE_END = re.compile(rb"(?<!\r)\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*(?=\r\n)", re.IGNORECASE)
_HAS_BODY = re.compile(rb"\r\n(?:content-length|transfer-encoding):", re.IGNORECASE)
_CONTINUE = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)


class Gone(Exception):
    """The client has hung up, or has ended its side in the middle of a request."""


class Refused(Exception):
    """The request is not worth a thread."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Connection(TConn):
    """A client's connection. Its socket never blocks."""

    def __init__(self, cfg: Any, sock: Any, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        self.parser = RequestParser(cfg, sock, client)
        self.parser.unreader = _Received(self)
        self.answer: Any = None  # the one under way (answer.py)
        self.broken = False  # what is under way is to be ended
        self.keep = False  # for another request, when all of the answer is sent
        self.drained = 0  # bytes that were thrown away after the answer
        self._unsent: list[memoryview] = []
        self._received = bytearray()
        self._forget_request()

    def _forget_request(self) -> None:
        self.head = b""  # of the request that has arrived; as far as it has, when it is wrong
        self.open_ended = False  # it has a body that was not waited for
        self._line_is_right = False
        self._searched = 0
        self._awaited = -1  # bytes of the whole request, when they are known
        self._body_until = 0.0
        self._is_over = False

    # The next request

    def receive(self) -> bool:
        """Take what has arrived; whether the request is whole. Raises Gone and Refused."""
        try:
            piece = self.sock.recv(PIECE)
        except BlockingIOError:
            return self.is_whole()
        except OSError as error:
            raise Gone from error
        if not piece:
            raise Gone
        self._received += piece
        return self.is_whole()

    def has_begun(self) -> bool:
        return bool(self._received)

    def asks_for_the_log(self) -> bool:
        """Whether the request that has arrived wants to read the log, or a part of it."""
        return bool(_LOG.match(self.head))

    def has_more(self) -> bool:
        """Whether something has arrived behind the request."""
        return len(self._received) > self._awaited

    def missing(self) -> int:
        """Bytes of the body that have not arrived; 0 while the head has not."""
        return max(0, self._awaited - len(self._received))

    def is_whole(self) -> bool:
        """Whether a thread can take the request without waiting for the client: all of it is there, or it is wrong.
        Raises Refused."""
        if self._awaited < 0 and not (self._received and self._head_is_here()):
            return False
        return len(self._received) >= self._awaited

    def _head_is_here(self) -> bool:
        data = self._received
        if not (data[0] == 0x0D or 0x20 < data[0] < 0x7F):
            is_tls = data[0] == 0x16  # https://www.rfc-editor.org/rfc/rfc8446#section-5.1
            raise Refused(400, "this port speaks HTTP, and not TLS" if is_tls else "this is no request of HTTP")
        end = data.find(b"\r\n\r\n", max(0, self._searched - 3))
        start, self._searched = max(0, self._searched - 1), len(data)
        if self._line_is_wrong() or (end < 0 and _BARE_END.search(data, start)):
            self.head, self._awaited, self.open_ended = bytes(data[:HEAD_BYTES]), len(data), True
            return True  # the parser says what is wrong
        if end > HEAD_BYTES or (end < 0 and len(data) > HEAD_BYTES):
            self.head = bytes(data[:HEAD_BYTES])
            raise Refused(431, f"the headers have more than {HEAD_BYTES:,} bytes")
        if end < 0:
            return False
        self.head, self._awaited = bytes(data[: end + 4]), end + 4
        if _HAS_BODY.search(self.head):
            self._await_body()
        return True

    def _line_is_wrong(self) -> bool:
        if not self._line_is_right:
            if self._received.find(b"\r\n", 1) < 0:
                return len(self._received) > LINE_BYTES
            self._line_is_right = bool(_LINE.match(self._received))
        return not self._line_is_right

    def _await_body(self) -> None:
        """Only the parser decides what is a body. This is about how long to wait before it is asked."""
        lengths = _LENGTH.findall(self.head)
        if len(_HAS_BODY.findall(self.head)) != 1 or len(lengths) != 1 or int(lengths[0]) > BODY_BYTES:
            self.open_ended = True
            return
        self._awaited += int(lengths[0])
        if self.missing() and b" HTTP/1.1\r\n" in self.head and _CONTINUE.search(self.head):
            self.put(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.flush()

    def request_is_over(self) -> bool:
        """After the answer: whether the next request begins behind what has arrived, which is then taken out."""
        self._is_over = True
        body = self.parser.mesg.body
        is_read = isinstance(body.reader, LengthReader) and body.reader.length == 0
        try:
            if not is_read and not self.parser.finish_body(max_bytes=BODY_BYTES + 1):
                return False
        except Exception:  # of a body in chunks that are wrong
            return False
        if behind := self.parser.unreader.take_buffered():
            self._received[:0] = behind
        self._forget_request()
        return True

    def take(self, size: int) -> bytes:
        """For the parser: up to so many bytes of the request."""
        if self._received:
            piece = bytes(self._received[:size])
            del self._received[:size]
            return piece
        now = time.monotonic()
        self._body_until = self._body_until or now + STRANGE_BODY_SECONDS
        if self._is_over or not self._waits_for(select.POLLIN, self._body_until - now):
            raise TimeoutError("the body has not arrived")
        return bytes(self.sock.recv(PIECE))

    def comes_back(self, milliseconds: float) -> bool:
        """Whether the next request is whole within the moment. Raises Gone and Refused."""
        if self._received:
            return self.is_whole()  # it was read together with the one before
        return self._waits_for(select.POLLIN, milliseconds / 1000) and self.receive()

    # The answer

    def put(self, *parts: bytes) -> None:
        """To be sent with the next `flush`."""
        self._unsent += [memoryview(part) for part in parts if part]

    def unsent(self) -> int:
        """Bytes; from now on nothing else of the answer's parts is kept in memory."""
        self._unsent = [memoryview(b"".join(self._unsent))]
        return len(self._unsent[0])

    def flush(self) -> bool:
        """Send what the client takes now; whether that is all. Raises OSError when the client has gone."""
        while self._unsent:
            try:
                sent = self.sock.sendmsg(self._unsent[:16])
            except BlockingIOError:
                return False
            while self._unsent and sent >= len(self._unsent[0]):
                sent -= len(self._unsent.pop(0))
            if sent:
                self._unsent[0] = self._unsent[0][sent:]
        return True

    def flush_within(self, milliseconds: float) -> bool:
        """The same, waiting for the client as long as it takes something within each moment."""
        while not self.flush():
            if not self._waits_for(select.POLLOUT, milliseconds / 1000):
                return False
        return True

    def give_up(self) -> None:
        """Send nothing more, and end what is under way."""
        self.broken = True
        self._unsent.clear()

    def drain(self) -> bool:
        """Throw away what the client still sends; whether there may be more."""
        self._received.clear()
        try:
            for _ in range(64):
                if not (piece := self.sock.recv(PIECE)):
                    return False
                self.drained += len(piece)
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True

    def _waits_for(self, event: int, seconds: float) -> bool:
        poller = select.poll()
        poller.register(self.sock, event)
        return bool(poller.poll(max(0.0, seconds) * 1000))


class _Received(Unreader):
    """What gunicorn's parser reads from: what has arrived."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def chunk(self, size_hint: int | None = None) -> bytes:
        return self._connection.take(max(size_hint or 0, 8192))
