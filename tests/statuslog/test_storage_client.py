"""The one caller of storage's API."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest

from statuslog import tracing
from statuslog.peer import PeerTimeout
from statuslog.record import Record
from statuslog.storage_client import StorageClient, StorageError
from statuslog.verdict import Verdict, read, show
from tests.processes import free_ports
from tests.wrong_peer import (
    RUBBISH,
    Behaviour,
    WrongPeer,
    answering,
    answering_json,
    endless,
    from_storage,
    hanging,
    sending,
    slow_body,
    wrong_peer,
)

TAKEN = from_storage(answering_json(201, {"stored": 1, "known": 0}), Verdict.STORED)
RECORD = Record(id=UUID(int=7), service="service1", timestamp=datetime(2025, 9, 26, tzinfo=UTC), line="a line")


@pytest.fixture
def storage() -> Iterator[WrongPeer]:
    with wrong_peer(TAKEN) as storage:
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
    storage.behaviour = from_storage(answering_json(200, {"stored": 0, "known": 1}), Verdict.STORED)
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
    storage.behaviour = from_storage(behaviour)
    with pytest.raises(StorageError) as error:
        StorageClient(storage.url).store([RECORD], 0.3)
    assert text in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("verdict", [*Verdict])
def test_the_verdict_is_storage_s_own(storage: WrongPeer, verdict: Verdict):
    storage.behaviour = from_storage(answering_json(400, {"detail": "no"}), verdict)
    if verdict == Verdict.STORED:
        StorageClient(storage.url).store([RECORD], 1)
        return
    with pytest.raises(StorageError, match="400: no") as error:
        StorageClient(storage.url).store([RECORD], 1)
    assert error.value.verdict == verdict
    # Without the right token (401, 403) storage has not looked at the records, and would take them with it.
    assert error.value.is_about_the_request is (verdict != Verdict.ANSWERED)


STRANGERS = {
    **{str(status): answering(status) for status in (200, 201, 204, 301, 400, 401, 403, 404, 405, 409, 413, 415, 429)},
    "a portal": answering(200, b"<html>Sign in", "Content-Type: text/html"),
    "JSON": answering_json(201, {"stored": 1, "known": 0, "edition": 0, "ready": True}),
    "a wrong verdict": answering(201, b"{}", "Log-Verdict: stored 00000000000000000000000000000000"),
    "a verdict without a digest": answering(400, b"{}", "Log-Verdict: refused"),
    "no HTTP": sending(RUBBISH),
}


@pytest.mark.parametrize("behaviour", STRANGERS.values(), ids=STRANGERS)
def test_what_another_program_answers_counts_for_nothing(storage: WrongPeer, behaviour: Behaviour):
    storage.behaviour = behaviour
    client = StorageClient(storage.url)
    calls: list[Callable[[], object]] = [
        lambda: client.store([RECORD], 1),
        lambda: client.set_fence(RECORD.timestamp, 1),
        lambda: client.edition(1),
        lambda: client.records(RECORD.timestamp, 1, 1),
        lambda: list(client.text(RECORD.timestamp, 1)),
        lambda: client.overview(1, 1, 1),
    ]
    for call in calls:
        with pytest.raises(StorageError) as error:
            call()
        assert error.value.verdict is None
        assert not error.value.is_about_the_request
    assert client.is_ready(1) is False


def test_no_challenge_is_used_twice_and_no_answer_fits_another(storage: WrongPeer):
    client = StorageClient(storage.url)
    client.store([RECORD], 1)
    client.store([RECORD], 1)
    first, second = (re.findall(rb"Log-Challenge: (\S+)", request)[0].decode() for request in storage.requests)
    assert first != second
    assert read(show(Verdict.STORED, first), first) == Verdict.STORED
    assert read(show(Verdict.STORED, first), second) is None


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
    storage.behaviour = from_storage(answering_json(status, {}))
    assert StorageClient(storage.url).is_ready(1) is ready
    assert storage.requests[0].startswith(b"GET /readyz ")


def test_a_storage_that_does_not_answer_is_not_ready(storage: WrongPeer):
    storage.behaviour = hanging
    assert StorageClient(storage.url).is_ready(0.2) is False
