"""`GET /status` of service1."""

import itertools
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from service1 import views
from service1.service2_client import Service2Client
from statuslog.record import Record
from tests.in_memory import OutboxInMemory, StorageInMemory
from tests.processes import free_ports
from tests.wrong_peer import Behaviour, WrongPeer, answering, answering_json, hanging, hanging_up, wrong_peer

pytestmark = pytest.mark.urls("service1.urls")

OTHER = Record(id=UUID(int=7), service="service2", timestamp=datetime(2025, 9, 26, tzinfo=UTC), line="its line")


@pytest.fixture(autouse=True)
def service2(monkeypatch: pytest.MonkeyPatch) -> Iterator[WrongPeer]:
    with wrong_peer(answering_json(200, {"records": [OTHER.to_json()], "errors": []})) as service2:
        monkeypatch.setattr(views, "service2", Service2Client(service2.url))
        yield service2


def test_it_answers_its_own_line_and_then_service2_s(client: Client, storage: StorageInMemory, vstorage: Path):
    response = client.get("/status")
    assert response.status_code == 200
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["Record-Delivery"] == "storage=stored, vstorage=written"
    assert response.text == f"{storage.lines[0]}\nits line\n"
    assert vstorage.read_text() == f"{storage.lines[0]}\n"


def test_it_answers_both_records_as_json(client: Client, storage: StorageInMemory):
    response = client.get("/status", headers={"Accept": "application/json"})
    assert response.json() == {"records": [storage.stored[0].to_json(), OTHER.to_json()], "errors": []}


def test_the_lock_on_vstorage_is_free_when_service2_is_asked(client: Client, service2: WrongPeer, own):
    locked = []

    def answer(connection, over):
        with own.vstorage.locked(0.2):
            locked.append(True)

    service2.behaviour = answer
    client.get("/status")
    assert locked == [True]


def test_service2_refused_is_502_with_the_own_line_first(
    client: Client, storage: StorageInMemory, vstorage: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(views, "service2", Service2Client(f"http://127.0.0.1:{free_ports(1)[0]}"))
    response = client.get("/status")
    assert response.status_code == 502
    assert response.text == f"{storage.lines[0]}\nservice2: unavailable (connection refused)\n"
    assert response["Record-Delivery"] == "storage=stored, vstorage=written"
    assert vstorage.read_text() == f"{storage.lines[0]}\n"


def test_service2_hanging_is_504_in_time(
    client: Client, storage: StorageInMemory, service2: WrongPeer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(views, "ANSWER_WITHIN", 0.5)
    service2.behaviour = hanging
    started = time.monotonic()
    response = client.get("/status", headers={"Accept": "application/json"})
    assert time.monotonic() - started < 1
    assert response.status_code == 504
    assert response.json()["records"] == [storage.stored[0].to_json()]
    (error,) = response.json()["errors"]
    assert error["service"] == "service2"
    assert error["reason"].startswith("no answer within ")


def test_time_that_is_used_up_is_taken_from_service2(
    client: Client, storage: StorageInMemory, service2: WrongPeer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(views, "ANSWER_WITHIN", 0.2)
    storage.before = lambda: time.sleep(0.3)
    response = client.get("/status")
    assert response.status_code == 504
    assert response.text == f"{storage.lines[0]}\nservice2: unavailable (no time was left to ask)\n"
    assert service2.requests == []


def test_what_storage_does_not_take_is_queued(client: Client, storage: StorageInMemory, outbox: OutboxInMemory):
    storage.fail()
    response = client.get("/status")
    assert response.status_code == 200
    assert response["Record-Delivery"] == "storage=queued, vstorage=written"
    assert [record.line for record in outbox.waiting.values()] == response.text.splitlines()[:1]


def test_without_an_own_record_service2_is_not_asked(
    client: Client, storage: StorageInMemory, outbox: OutboxInMemory, service2: WrongPeer
):
    storage.fail()
    outbox.most = 0
    response = client.get("/status")
    assert response.status_code == 503
    why = "storage did not take the record (507: too little free disk); the outbox is full"
    assert response.text == f"service1: {why}\n"
    assert service2.requests == []


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


def batch_of(count: int, pool: ThreadPoolExecutor, storage: StorageInMemory, service2: WrongPeer) -> list[Any]:
    """The answers to so many requests that are recorded together, after a first one that is alone."""
    first, opened = threading.Event(), threading.Event()

    def before() -> None:
        if not first.is_set():
            first.set()
            assert opened.wait(5)

    def ask() -> Any:
        return Client().get("/status", headers={"Accept": "application/json"})

    storage.before = before
    calls = [pool.submit(ask)]
    assert first.wait(5)
    calls += [pool.submit(ask) for _ in range(count)]
    deadline = time.monotonic() + 5
    while len(views.own._batcher._waiting) < count:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    service2.requests.clear()
    opened.set()
    return [call.result(10) for call in calls][1:]


def targets(service2: WrongPeer) -> list[bytes]:
    return sorted(request.split(b" ")[1] for request in service2.requests)


class Service2:
    """Answers with new records: as many as are asked for, or as `gives` says."""

    def __init__(self, peer: WrongPeer, gives: Callable[[int], list[int]]) -> None:
        self.peer, self.gives, self.made = peer, gives, itertools.count()
        peer.behaviour = self

    def __call__(self, connection: socket.socket, over: threading.Event) -> None:
        asked = re.search(rb"count=(\d+)", self.peer.asked.request.split(b"\r\n")[0])
        numbers = self.gives(int(asked[1]) if asked else 1)
        first = next(self.made) * 1000
        records = [replace(OTHER, id=UUID(int=first + number)).to_json() for number in numbers]
        # The peer hangs up after it, and a client that does not know could send its next request into the void.
        body = json.dumps({"records": records, "errors": []}).encode()
        answering(200, body, "Connection: close")(connection, over)


def others(answers: list[Any]) -> list[str]:
    return [answer.json()["records"][1]["id"] for answer in answers]


def test_service2_is_asked_once_for_what_is_recorded_together(pool, storage: StorageInMemory, service2: WrongPeer):
    Service2(service2, lambda count: list(range(count)))
    answers = batch_of(5, pool, storage, service2)
    assert [answer.status_code for answer in answers] == [200] * 5
    assert targets(service2) == [b"/status", b"/status?count=5"]  # the first is the one that was alone
    assert len(set(others(answers))) == 5


@pytest.mark.parametrize(
    ("gives", "asked"),
    [
        (lambda count: [0], 4),  # an older version, which knows no count
        (lambda count: list(range(count))[: max(1, count - 2)], 2),
        (lambda count: [0] * count, 4),  # the same record several times
    ],
    ids=["one", "fewer", "the same"],
)
def test_who_got_no_record_asks_for_one(pool, storage: StorageInMemory, service2: WrongPeer, gives, asked: int):
    Service2(service2, gives)
    answers = batch_of(5, pool, storage, service2)
    assert [answer.status_code for answer in answers] == [200] * 5
    assert len(set(others(answers))) == 5
    assert targets(service2) == [b"/status"] * (1 + asked) + [b"/status?count=5"]


@pytest.mark.parametrize(
    ("behaviour", "code", "reason"),
    [
        (hanging_up, 502, "connection lost"),
        (hanging, 504, "no answer within "),
        (answering_json(200, {"records": [OTHER.to_json()] * 9}), 502, "200 with an answer that is not a status"),
    ],
    ids=["502", "504", "more than asked"],
)
def test_an_error_of_service2_is_told_to_each_of_the_batch(
    pool, storage: StorageInMemory, service2: WrongPeer, monkeypatch, behaviour: Behaviour, code: int, reason: str
):
    monkeypatch.setattr(views, "ANSWER_WITHIN", 1.0)
    service2.behaviour = behaviour
    answers = batch_of(4, pool, storage, service2)
    assert [answer.status_code for answer in answers] == [code] * 4
    for answer in answers:
        (error,) = answer.json()["errors"]
        assert error["reason"].startswith(reason)
    kept = {answer.json()["records"][0]["id"] for answer in answers}
    assert len(kept) == 4
    assert kept < {str(record.id) for record in storage.stored}


def test_nothing_is_made_for_what_is_not_a_get(client: Client, storage: StorageInMemory, service2: WrongPeer):
    assert client.options("/status")["Allow"] == "GET, HEAD, OPTIONS"
    assert client.post("/status").status_code == 405
    assert client.get("/status/").status_code == 404
    assert client.get("/status", {"format": "xml"}).status_code == 400
    assert client.get("/status", headers={"Accept": "image/png"}).status_code == 406
    assert storage.stored == []
    assert service2.requests == []
