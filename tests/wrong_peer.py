"""A peer that answers as a test says: wrongly, late, or not at all. The one place where HTTP is faked.

What a service or a client makes of it is real: its socket, its deadlines.
"""

import contextlib
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

from statuslog.verdict import Verdict, show

# What the peer does with a connection whose request it has read; it may wait on the event, which ends the peer.
Behaviour = Callable[[socket.socket, threading.Event], None]


class WrongPeer:
    """Listens on the port, or on a free one. `behaviour` can be changed; `requests` are those that came, as bytes."""

    def __init__(self, behaviour: Behaviour, port: int = 0) -> None:
        self.behaviour = behaviour
        self.requests: list[bytes] = []
        self.connections = 0
        self.asked = threading.local()  # its `request` is the one that a behaviour answers
        self._over = threading.Event()
        self._listener = _listener(port)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Hang up, on those that wait too. From now on connections are refused."""
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while request := _request(connection):
                self.requests.append(request)
                self.asked.request = request
                behaviour = given = self.behaviour
                if isinstance(given, _FromStorage):
                    behaviour = given.behaviour
                    behaviour(cast(socket.socket, _Marked(connection, _verdict(given, request))), self._over)
                else:
                    behaviour(connection, self._over)
                if not isinstance(behaviour, _Answer):
                    return


def _listener(port: int) -> socket.socket:
    """A listener on the port, as soon as a killed process that had it is gone."""
    deadline = time.monotonic() + 5
    while True:
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError:
            if not port or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _request(connection: socket.socket) -> bytes:
    """One request with its body; empty when the client has hung up."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(h[15:]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


class _Answer:
    """A whole answer; the connection stays open for the next request."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __call__(self, connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(self.data)


class _FromStorage:
    """A behaviour whose answers storage would have signed with this verdict."""

    def __init__(self, behaviour: Behaviour, verdict: Verdict) -> None:
        self.behaviour = behaviour
        self.verdict = verdict

    def __call__(self, connection: socket.socket, over: threading.Event) -> None:
        raise AssertionError("only WrongPeer knows the request")


class _Marked:
    """A connection that puts a header into the first thing that is sent: below its status line."""

    def __init__(self, connection: socket.socket, header: bytes) -> None:
        self._connection = connection
        self._header = header

    def sendall(self, data: bytes) -> None:
        self._connection.sendall(data.replace(b"\r\n", b"\r\n" + self._header, 1))
        self._header = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def _verdict(behaviour: _FromStorage, request: bytes) -> bytes:
    (challenge,) = re.findall(rb"\r\nLog-Challenge: (\S+)\r\n", request) or [b"none"]
    return f"Log-Verdict: {show(behaviour.verdict, challenge.decode())}\r\n".encode()


def from_storage(behaviour: Behaviour, verdict: Verdict = Verdict.ANSWERED) -> Behaviour:
    """The same, recognised by the services as storage's own answer."""
    return _FromStorage(behaviour, verdict)


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    """An HTTP answer as bytes."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answering(status: int, body: bytes = b"", *headers: str) -> Behaviour:
    return _Answer(http(status, body, *headers))


def answering_json(status: int, content: Any) -> Behaviour:
    return answering(status, json.dumps(content).encode(), "Content-Type: application/json")


def hanging(connection: socket.socket, over: threading.Event) -> None:
    """Read the request and never say a word."""
    over.wait()


def hanging_up(connection: socket.socket, over: threading.Event) -> None:
    """Close the connection without an answer."""


def byte_by_byte(data: bytes, pause: float = 0.1) -> Behaviour:
    """Send `data` so slowly that no single read ever times out."""

    def send(connection: socket.socket, over: threading.Event) -> None:
        for number in range(len(data)):
            connection.sendall(data[number : number + 1])
            if over.wait(pause):
                return

    return send


def slow_body(body: bytes, pause: float = 0.1) -> Behaviour:
    """A quick head, then the body byte by byte."""
    head = http(200, body)[: -len(body)]

    def send(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(head)
        byte_by_byte(body, pause)(connection, over)

    return send


def sending(data: bytes, *, reset: bool = False, hang: bool = False) -> Behaviour:
    """Send `data` as it is, then close, or reset the connection, or fall silent."""

    def send(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(data)
        if hang:
            over.wait()
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return send


def endless(connection: socket.socket, over: threading.Event) -> None:
    """Promise 1 GB, and send it as long as somebody reads."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    while not over.is_set():
        connection.sendall(b"x" * 65536)


RUBBISH = b"\x00\xff\xfe neither HTTP nor text \r\n\r\n"


@contextlib.contextmanager
def wrong_peer(behaviour: Behaviour, port: int = 0) -> Iterator[WrongPeer]:
    peer = WrongPeer(behaviour, port)
    try:
        yield peer
    finally:
        peer.close()
