"""The load: so many clients, each with a kept connection, each asking again as soon as it is answered.

It runs as a process of its own, in one thread on bare sockets, so that it takes little of the CPU that is measured.
"""

import json
import math
import re
import resource
import selectors
import socket
import sys
import time
from collections import Counter
from typing import Any

SILENCE = 10.0  # seconds without any answer, after which the system counts as hung
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


class Client:
    def __init__(self, port: int, request: bytes) -> None:
        self.port, self.request = port, request
        self.socket = socket.create_connection(("127.0.0.1", port), SILENCE)
        self.answer = b""
        self.sent = 0.0

    def send(self) -> None:
        self.answer, self.sent = b"", time.perf_counter()
        self.socket.sendall(self.request)

    def receive(self) -> str | None:
        """The status of the answer once all of it is here; "lost" when it was cut off."""
        part = self.socket.recv(65536)
        self.answer += part
        head, end, body = self.answer.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if end and not length:
            raise RuntimeError(f"an answer without Content-Length: {head!r}")
        if end and length and len(body) >= int(length[1]):
            return head.split(b" ", 2)[1].decode()
        return None if part else "lost"

    def closed(self) -> bool:
        """The server will answer no more on this connection."""
        return b"\r\n\r\n" not in self.answer or CLOSE.search(self.answer) is not None


def run(*, port: int, method: str, path: str, body: str, clients: int, seconds: float, count: float) -> dict[str, Any]:
    """Ask for `seconds`, or `count` times, and wait for the last answers; times in the result are in seconds."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    if body:
        head += f"Content-Type: text/plain\r\nContent-Length: {len(body.encode())}\r\n"
    request = f"{head}\r\n{body}".encode()
    selector = selectors.DefaultSelector()
    statuses: Counter[str] = Counter()
    latencies: list[float] = []
    started, cpu, sent = time.perf_counter(), _cpu(), 0

    def start(client: Client) -> None:
        nonlocal sent
        sent += 1
        selector.register(client.socket, selectors.EVENT_READ, client)
        client.send()

    for _ in range(int(min(clients, count))):
        start(Client(port, request))
    while selector.get_map():
        ready = selector.select(SILENCE)
        if not ready:
            raise RuntimeError(f"no answer for {SILENCE:.0f} s")
        for key, _ in ready:
            client: Client = key.data
            status = client.receive()
            if status is None:
                continue
            now = time.perf_counter()
            statuses[status] += 1
            if status in ("200", "201"):
                latencies.append(now - client.sent)
            go_on = now - started < seconds and sent < count
            if go_on and not client.closed():
                sent += 1
                client.send()
                continue
            selector.unregister(client.socket)
            client.socket.close()
            if go_on:
                start(Client(port, request))
    elapsed = time.perf_counter() - started
    latencies.sort()
    return {
        "seconds": elapsed,
        "ok": len(latencies),
        "bad": {status: number for status, number in statuses.items() if status not in ("200", "201")},
        "p50": _percentile(latencies, 0.50),
        "p99": _percentile(latencies, 0.99),
        "load_cpu": (_cpu() - cpu) / elapsed,
    }


def _percentile(ordered: list[float], share: float) -> float | None:
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    print(json.dumps(run(**json.loads(sys.argv[1]))))
