"""Clients that do not come to the point cost a thread each, and the others nothing."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.processes import Services, running

pytestmark = pytest.mark.live

CLIENTS = 64
SECONDS = 14  # beyond the deadline for the head of a request


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with running(tmp_path_factory.mktemp("slow") / "folder") as services:
        yield services


def drip(port: int, until: float, hung_up: list[float]) -> None:
    """A byte a second of a request that never ends."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(1)
        connection.sendall(b"GET /status HTTP/1.1\r\n")
        while time.monotonic() < until:
            try:
                connection.sendall(b"y")
                if connection.recv(1000) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            return
    hung_up.append(time.monotonic() - started)


def test_64_slow_and_silent_clients_do_not_slow_down_others(services: Services):
    port, until = services.ports["service1"], time.monotonic() + SECONDS
    hung_up: list[float] = []
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(CLIENTS // 2)]
    slow = [threading.Thread(target=drip, args=(port, until, hung_up)) for _ in range(CLIENTS)]
    for thread in slow:
        thread.start()
    longest = 0.0
    while time.monotonic() < until:
        started = time.monotonic()
        assert requests.get(f"{services.service1}/status", timeout=10).status_code == 200
        longest = max(longest, time.monotonic() - started)
    for thread in slow:
        thread.join()
    for connection in silent:
        connection.close()
    assert longest < 1  # the contract's bound for others
    assert len(hung_up) == CLIENTS  # none of them keeps its thread for good
    assert min(hung_up) > 9


def test_more_clients_than_threads_all_get_their_turn(tmp_path: Path):
    with running(tmp_path, GUNICORN_THREADS="4") as services:
        over = time.monotonic() + 3
        longest = [0.0] * 12

        def ask(number: int) -> None:
            with requests.Session() as session:
                while time.monotonic() < over:
                    started = time.monotonic()
                    assert session.get(f"{services.service1}/status", timeout=10).status_code == 200
                    longest[number] = max(longest[number], time.monotonic() - started)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(longest))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert min(longest) > 0
        assert max(longest) < 3
