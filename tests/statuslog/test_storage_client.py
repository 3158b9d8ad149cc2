"""The one caller of storage's API."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest

from statuslog import tracing
from statuslog.peer import PeerTimeout
from statuslog.record import Record
from statuslog.storage_client import StorageClient, StorageError
from tests.processes import free_ports
from tests.wrong_peer import (
    RUBBISH,
    Behaviour,
    WrongPeer,
    answering,
    answering_json,
    endless,
    hanging,
    sending,
    slow_body,
    wrong_peer,
)

RECORD = Record(id=UUID(int=7), service="service1", timestamp=datetime(2025, 9, 26, tzinfo=UTC), line="a line")


@pytest.fixture
def storage() -> Iterator[WrongPeer]:
    with wrong_peer(answering_json(201, {"stored": 1, "known": 0})) as storage:
        yield storage


def test_records_are_posted_as_one_list_of_json(storage: WrongPeer):
    StorageClient(storage.url).store([RECORD, RECORD], 1)
    (request,) = storage.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /log HTTP/1.1")
    assert b"Content-Type: application/json" in head
    assert [Record.from_json(item) for item in json.loads(body)] == [RECORD, RECORD]


def test_a_request_and_its_batch_are_named(storage: WrongPeer):
    tracing.begin("mine")
    try:
        tracing.note_batch(["another", "a-third"])
        ids = tracing.headers()
        StorageClient(storage.url).store([RECORD], 1)
    finally:
        tracing.end()
    StorageClient(storage.url).store([RECORD], 1)
    of_request, of_nobody = storage.requests
    for header in ("X-Request-ID: mine", f"traceparent: {ids['traceparent']}", "Batch-Request-IDs: another,a-third"):
        assert f"\r\n{header}\r\n".encode() in of_request
        assert header.partition(":")[0].encode() not in of_nobody


def test_a_record_that_is_known_already_is_stored(storage: WrongPeer):
    storage.behaviour = answering_json(200, {"stored": 0, "known": 1})
    StorageClient(storage.url).store([RECORD], 1)


@pytest.mark.parametrize(
    ("behaviour", "text"),
    [
        (answering_json(409, {"detail": "another one"}), "409: another one"),
        (answering_json(503, {"detail": "busy " * 1000}), "503: busy busy"),
        (answering_json(400, ["x"]), "400: b'[\"x\"]'"),
        (answering(500, b"<html>" + b"x" * 5000), "500: b'<html>xxx"),
        (answering(500, b"[" * 60_000), "500: b'[[["),
        (answering(204), "204: b''"),
        (answering(302, b"", "Location: /elsewhere"), "302: b''"),
        (sending(RUBBISH), "not an HTTP answer"),
        (hanging, "no answer within 0.3 s"),
        (slow_body(b"x" * 100), "no answer within 0.3 s"),
        (endless, "the answer is longer than 65,536 bytes"),
    ],
    ids=["409", "503", "a list", "HTML", "nested", "204", "a redirect", "rubbish", "hanging", "slow", "1 GB"],
)
def test_everything_else_is_not_stored_and_says_why(storage: WrongPeer, behaviour: Behaviour, text: str):
    storage.behaviour = behaviour
    with pytest.raises(StorageError) as error:
        StorageClient(storage.url).store([RECORD], 0.3)
    assert text in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(("status", "refused"), [(400, True), (409, True), (401, False), (403, False), (503, False)])
def test_only_what_storage_has_looked_at_is_refused(storage: WrongPeer, status: int, refused: bool):
    """A service with another token than storage's keeps its records until the two agree again."""
    storage.behaviour = answering_json(status, {"detail": "no"})
    with pytest.raises(StorageError) as error:
        StorageClient(storage.url).store([RECORD], 1)
    assert error.value.refused is refused


def test_nobody_there():
    with pytest.raises(StorageError, match="connection refused"):
        StorageClient(f"http://127.0.0.1:{free_ports(1)[0]}").store([RECORD], 1)


@pytest.mark.parametrize("query", ["", "service=a&since=%20x"])
def test_the_log_is_asked_for_with_the_query_as_it_is(storage: WrongPeer, query: str):
    with StorageClient(storage.url).log("GET", query, {"Accept": "text/plain"}, 1) as response:
        assert response.status_code == 201
    path = b"/log?" + query.encode() if query else b"/log"
    assert storage.requests[0].startswith(b"GET " + path + b" HTTP/1.1\r\n")


def test_a_log_that_does_not_come_is_a_time_out(storage: WrongPeer):
    storage.behaviour = hanging
    with pytest.raises(PeerTimeout), StorageClient(storage.url).log("GET", "", {}, 0.3):
        pass


@pytest.mark.parametrize(("status", "ready"), [(200, True), (503, False), (404, False)])
def test_ready_is_what_storage_says_of_itself(storage: WrongPeer, status: int, ready: bool):
    storage.behaviour = answering_json(status, {})
    assert StorageClient(storage.url).is_ready(1) is ready
    assert storage.requests[0].startswith(b"GET /readyz ")


def test_a_storage_that_does_not_answer_is_not_ready(storage: WrongPeer):
    storage.behaviour = hanging
    assert StorageClient(storage.url).is_ready(0.2) is False
