"""`GET /status` of service1."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from django.test import Client

from service1 import views
from service1.service2_client import Service2Client
from statuslog.record import Record
from tests.in_memory import OutboxInMemory, StorageInMemory
from tests.processes import free_ports
from tests.wrong_peer import WrongPeer, answering_json, hanging, wrong_peer

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


def test_nothing_is_made_for_what_is_not_a_get(client: Client, storage: StorageInMemory, service2: WrongPeer):
    assert client.options("/status")["Allow"] == "GET, HEAD, OPTIONS"
    assert client.post("/status").status_code == 405
    assert client.get("/status/").status_code == 404
    assert client.get("/status", {"format": "xml"}).status_code == 400
    assert client.get("/status", headers={"Accept": "image/png"}).status_code == 406
    assert storage.stored == []
    assert service2.requests == []
