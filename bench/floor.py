"""What the hops alone cost: three bare WSGI applications that ask each other as the services do, and keep nothing.

No framework, no store, no record is made: the bodies are constants of the usual size. gunicorn runs
`bench.floor:storage` and so on, with the services' own configuration.
"""

import http.client
import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from statuslog import env

Start = Callable[[str, list[tuple[str, str]]], Any]

LINE = "2025-09-26T16:45:06Z: uptime 8.907 hours, free disk in root: 36207.74 MBytes\n"
RECORD = (
    '{"id": "01a20758-7c81-7e5d-8575-34c7a7755356", "service": "service1", "instance": "0123456789ab", "timestamp": '
    '"2025-09-26T16:45:06.123456Z", "host_uptime_seconds": 32065.2, "container_uptime_seconds": 32001.7, '
    f'"disk_free_bytes": 37966086144, "disk_total_bytes": 62671097856, "line": "{LINE[:-1]}"}}'
)
HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}
STORAGE = env.url("STORAGE_URL", "http://127.0.0.1:8202")
SERVICE2 = env.url("SERVICE2_URL", "http://127.0.0.1:8201")

_kept = threading.local()  # each thread's connections, by address


def ask(url: str, method: str, path: str, body: bytes | None = None) -> None:
    connection = _kept.__dict__.get(url)
    if connection is None:
        address = urlsplit(url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=3)
        _kept.__dict__[url] = connection
    try:
        connection.request(method, path, body, HEADERS)
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        connection.close()
        raise


def answer(start: Start, text: str, status: str = "200 OK") -> Iterable[bytes]:
    body = text.encode()
    start(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]


def storage(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    environ["wsgi.input"].read()
    status = "201 Created" if environ["REQUEST_METHOD"] == "POST" else "200 OK"
    return answer(start, "stored 1, known already 0\n", status)


def service2(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    ask(STORAGE, "POST", "/log", f"[{RECORD}]".encode())
    return answer(start, f'{{"records": [{RECORD}], "errors": []}}')


def service1(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    ask(STORAGE, "POST", "/log", f"[{RECORD}]".encode())
    ask(SERVICE2, "GET", "/status")
    return answer(start, LINE * 2)
