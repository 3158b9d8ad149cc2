"""A client that shows what was really answered: no proxy, no retry, a connection for each request."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
PROBLEM = "application/problem+json"


def ask(method: str, url: str, **options: Any) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, **{"timeout": 10, "allow_redirects": False, **options})


def get(url: str, **options: Any) -> requests.Response:
    return ask("GET", url, **options)


def get_json(url: str, **options: Any) -> requests.Response:
    return ask("GET", url, headers={"Accept": JSON}, **options)


def post(url: str, body: Any, content_type: str | None = "text/plain", **headers: str) -> requests.Response:
    """Headers are given by their names with `_` for `-`."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if content_type:
        given["Content-Type"] = content_type
    return ask("POST", url, data=body, headers=given)


def exchange(port: int, request: bytes) -> bytes:
    """Everything that is answered to these bytes until the other side hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request)
        return all_of(connection)


def all_of(connection: socket.socket) -> bytes:
    """Everything that comes until the other side hangs up."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


@contextmanager
def within(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds
