"""`GET /status` of service2."""

from pathlib import Path

import pytest
from django.test import Client

from statuslog import tracing
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


def test_several_records_are_kept_together(client: Client, storage: StorageInMemory, vstorage: Path):
    response = client.get("/status?count=3", headers={"Accept": "application/json"})
    assert response.json() == {"records": [record.to_json() for record in storage.stored], "errors": []}
    assert len(storage.batches) == 1
    assert len({record.id for record in storage.stored}) == len({record.timestamp for record in storage.stored}) == 3
    assert vstorage.read_text().splitlines() == storage.lines
    assert client.get("/status", {"count": "2"}).text.splitlines() == storage.lines[3:]


@pytest.mark.parametrize("count", ["0", "1001", "-1", "1.5", "", "٣", "9" * 5000])
def test_a_wrong_count_is_refused(client: Client, storage: StorageInMemory, count: str):
    response = client.get("/status", {"count": count})
    assert (response.status_code, response.text) == (400, "count: must be a whole number, 1 to 1,000\n")
    assert storage.stored == []


def test_the_largest_count_is_kept(client: Client, storage: StorageInMemory):
    assert len(client.get("/status", {"count": "1000"}).text.splitlines()) == 1000 == len(storage.stored)


def test_the_requests_that_the_records_are_for_go_on_to_storage(client: Client, storage: StorageInMemory):
    named: list[list[str]] = []

    def note() -> None:
        trace = tracing.current()
        assert trace
        named.append([trace.request_id, *trace.batch])

    storage.before = note
    client.get("/status?count=2", headers={"X-Request-ID": "one", "Batch-Request-IDs": "two"})
    assert named == [["one", "two"]]


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
