"""Clients that say nothing, dribble or do not read cost no thread, and the others nothing."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.contract.client import exchange, post
from tests.processes import Services, running

pytestmark = pytest.mark.live

CLIENTS = 500
LINES = "\n".join(f"{number:04} {'x' * 4000}" for number in range(240))  # of a POST; 1 MiB
POSTS = 16  # more than what the kernel takes in between two services and a client that does not read
ANSWER_SECONDS = 3.0
MOST_MEMORY = 200 * 1024  # KiB

HEAD = b"GET /status HTTP/1.1\r\nHost: a\r\n"
READ_LOG = b"GET /log HTTP/1.1\r\nHost: a\r\n\r\n"
# By kind: the service, what each client sends at once, and what it sends a byte a second of.
HARD: dict[str, tuple[str, bytes, bytes]] = {
    "says nothing": ("service1", b"", b""),
    "stops in the request line": ("service1", b"GET /sta", b""),
    "dribbles a head": ("service1", HEAD, b"X-Head: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"),
    "dribbles a body": ("storage", b"POST /log HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n", b"x" * 40),
    "waits to be told to go on": (
        "storage",
        b"POST /log HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 900\r\n\r\n",
        b"",
    ),
    "never ends its chunks": (
        "storage",
        b"POST /log HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n",
        b"x" * 40,
    ),
    "keeps a connection": ("service1", b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", b""),
    "does not read": ("service1", READ_LOG, b""),
    "asks for much at once and does not read": ("service2", b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n" * 200, b""),
}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with running(tmp_path_factory.mktemp("slow") / "folder") as services:
        for _ in range(POSTS):
            assert post(f"{services.storage}/log", LINES).status_code == 201
        yield services


class Clients:
    """Many of one kind, or of all in turn."""

    def __init__(self, services: Services, *kinds: str, number: int = CLIENTS) -> None:
        self._open: list[tuple[socket.socket, Iterator[int]]] = []
        for index in range(number):
            name, first, more = HARD[kinds[index % len(kinds)]]
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(ANSWER_SECONDS)
            client.connect(("127.0.0.1", services.ports[name]))
            client.sendall(first)
            self._open.append((client, iter(more)))

    def dribble(self) -> None:
        for client, more in self._open:
            try:
                client.sendall(bytes([next(more)]))
            except (StopIteration, OSError):
                continue

    def close(self) -> None:
        for client, _ in self._open:
            client.close()


def slowest(services: Services, clients: Clients, seconds: float) -> float:
    """How long the slowest answer to somebody else took meanwhile."""
    longest, until = 0.0, time.monotonic() + seconds
    while time.monotonic() < until:
        clients.dribble()
        for url in (
            f"{services.service1}/status",
            f"{services.service1}/healthz",
            f"{services.service2}/healthz",
            f"{services.storage}/healthz",
        ):
            started = time.monotonic()
            assert requests.get(url, timeout=10).status_code == 200
            longest = max(longest, time.monotonic() - started)
        time.sleep(0.3)
    return longest


def memory(services: Services, name: str) -> int:
    """KiB of the service's worker process."""
    (worker,) = Path(f"/proc/{services.pid(name)}/task/{services.pid(name)}/children").read_text().split()
    (line,) = [line for line in Path(f"/proc/{worker}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1])


@pytest.mark.parametrize("kind", HARD)
def test_many_clients_of_one_kind_do_not_slow_down_others(services: Services, kind: str):
    clients = Clients(services, kind)
    try:
        assert slowest(services, clients, 1.5) < ANSWER_SECONDS
    finally:
        clients.close()
    assert max(memory(services, name) for name in services.ports if name in ("service1", "storage")) < MOST_MEMORY


def test_a_thousand_clients_of_all_kinds_do_not_slow_down_others(services: Services):
    clients = Clients(services, *HARD, number=1000)
    try:
        assert slowest(services, clients, 3) < ANSWER_SECONDS
    finally:
        clients.close()
    assert memory(services, "storage") < MOST_MEMORY


def test_a_head_that_does_not_come_is_408(services: Services):
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", services.ports["service1"]), timeout=1) as client:
        client.sendall(HEAD)
        answer = b""
        while not answer and time.monotonic() < started + 15:
            try:
                client.sendall(b"y")
                answer = client.recv(10_000)
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert answer.endswith(b"\r\n\r\nthe request did not arrive in time\n")
    assert 9 < time.monotonic() - started < 13


def test_a_client_that_has_ended_its_side_gets_its_answer(services: Services):
    with socket.create_connection(("127.0.0.1", services.ports["service1"]), timeout=5) as client:
        client.sendall(HEAD + b"\r\n")
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while part := client.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.count(b": uptime ") == 2


def test_requests_that_come_together_are_answered_in_their_order(services: Services):
    asked = [b"/healthz", b"/nope", b"/readyz", b"/healthz"]
    requests_ = b"".join(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n" for path in asked)
    answer = exchange(services.ports["service2"], requests_[:-2] + b"Connection: close\r\n\r\n")
    found = [part.split(b" ")[0] for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert found == [b"200", b"404", b"200", b"200"]


def test_a_slow_reader_gets_all_of_the_log(services: Services):
    """Its answer goes from the thread to the selector and back, time and again."""
    whole = requests.get(f"{services.storage}/log", timeout=10).content
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.settimeout(10)
        client.connect(("127.0.0.1", services.ports["storage"]))
        client.sendall(b"GET /log HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = b""
        while part := client.recv(2**20):
            answer += part
            if len(answer) % 7 == 0:
                time.sleep(0.12)
    assert len(whole) > POSTS * 2**19
    assert answer.partition(b"\r\n\r\n")[2] == whole[: len(whole)]


def test_more_readers_of_the_log_than_threads_all_get_all_of_it(tmp_path: Path):
    with running(tmp_path, GUNICORN_THREADS="4") as services:
        for _ in range(4):
            assert post(f"{services.storage}/log", LINES).status_code == 201
        sizes: list[int] = []

        def read() -> None:
            sizes.append(len(requests.get(f"{services.service1}/log", timeout=20).content))

        with ExitStack() as stack:
            for _ in range(24):
                thread = threading.Thread(target=read)
                thread.start()
                stack.callback(thread.join)
            started = time.monotonic()
            assert requests.get(f"{services.service1}/healthz", timeout=10).status_code == 200
            assert time.monotonic() - started < ANSWER_SECONDS
        assert sizes == [4 * (len(LINES) + 1)] * 24
        take_turns(services)


def take_turns(services: Services) -> None:
    over = time.monotonic() + 2
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
    assert max(longest) < ANSWER_SECONDS


def test_few_open_files_do_not_end_a_service(tmp_path: Path):
    """More connections than there may be files: the oldest silent ones make room for who comes."""

    class Few(Services):
        def command(self, name: str) -> list[str]:
            return ["prlimit", "--nofile=128", *super().command(name)]

    services = Few(tmp_path)
    try:
        services.start()
        worker: Any = Path(f"/proc/{services.pid('service1')}/task/{services.pid('service1')}/children").read_text()
        clients = Clients(services, "says nothing", number=300)
        time.sleep(1.5)
        try:
            assert slowest(services, clients, 2) < ANSWER_SECONDS
        finally:
            clients.close()
        assert Path(f"/proc/{services.pid('service1')}/task/{services.pid('service1')}/children").read_text() == worker
        assert services.output("service1").count("there are too many connections") <= 1
        assert "Traceback" not in services.output("service1")
    finally:
        services.stop()
