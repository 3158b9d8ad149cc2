"""`GET /status` of service2."""

from pathlib import Path

import pytest
from django.test import Client

from tests.in_memory import OutboxInMemory, StorageInMemory

pytestmark = pytest.mark.urls("service2.urls")


def test_it_answers_the_line_that_both_stores_have(client: Client, storage: StorageInMemory, vstorage: Path):
    response = client.get("/status")
    assert response.status_code == 200
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["Record-Delivery"] == "storage=stored, vstorage=written"
    assert response.text == f"{storage.lines[0]}\n" == vstorage.read_text()


@pytest.mark.parametrize("ask", [{"headers": {"Accept": "application/json"}}, {"query_params": {"format": "json"}}])
def test_it_answers_the_record_as_json(client: Client, storage: StorageInMemory, ask):
    response = client.get("/status", **ask)
    assert response["Content-Type"] == "application/json"
    assert response.json() == {"records": [storage.stored[0].to_json()], "errors": []}


def test_a_record_that_nothing_keeps_is_not_claimed(
    client: Client, storage: StorageInMemory, outbox: OutboxInMemory, vstorage: Path
):
    storage.fail()
    outbox.most = 0
    response = client.get("/status")
    assert response.status_code == 503
    why = "storage did not take the record (507: too little free disk); the outbox is full"
    assert response.text == f"service2: {why}\n"
    assert vstorage.read_text() == ""


def test_vstorage_missing_is_told_in_the_header(client: Client, vstorage: Path):
    vstorage.unlink()
    response = client.get("/status")
    assert response.status_code == 200
    assert response["Record-Delivery"] == "storage=stored, vstorage=failed"


def test_head_makes_a_record_and_shows_no_body(client: Client, storage: StorageInMemory):
    assert client.head("/status").content == b""
    assert len(storage.stored) == 1


def test_nothing_is_made_for_what_is_not_a_get(client: Client, storage: StorageInMemory):
    assert client.options("/status")["Allow"] == "GET, HEAD, OPTIONS"
    assert client.post("/status").status_code == 405
    assert client.get("/status/").status_code == 404
    assert client.get("/status", {"format": "xml"}).status_code == 400
    assert client.get("/status", headers={"Accept": "image/png"}).status_code == 406
    assert storage.stored == []
