"""The one caller of service2."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from service1.service2_client import Service2Client, Service2Error
from statuslog import tracing
from statuslog.record import MAX_LINE_LENGTH, Record
from tests.processes import free_ports
from tests.wrong_peer import (
    RUBBISH,
    Behaviour,
    WrongPeer,
    answering,
    answering_json,
    byte_by_byte,
    endless,
    hanging,
    hanging_up,
    http,
    sending,
    slow_body,
    wrong_peer,
)

RECORD = Record(id=UUID(int=7), service="service2", timestamp=datetime(2025, 9, 26, tzinfo=UTC), line="a line")
ANSWER: dict[str, Any] = {"records": [RECORD.to_json()], "errors": []}
BODY = json.dumps(ANSWER).encode()


@pytest.fixture
def service2() -> Iterator[WrongPeer]:
    with wrong_peer(answering_json(200, ANSWER)) as service2:
        yield service2


def failure(service2: WrongPeer, behaviour: Behaviour) -> Service2Error:
    service2.behaviour = behaviour
    with pytest.raises(Service2Error) as error:
        Service2Client(service2.url).records(1, 0.4)
    return error.value


def test_the_record_is_asked_for_as_json(service2: WrongPeer):
    assert Service2Client(service2.url).records(1, 1) == [RECORD]
    assert service2.requests[0].startswith(b"GET /status HTTP/1.1\r\n")
    assert b"\r\nAccept: application/json" in service2.requests[0]


def test_several_are_asked_for_at_once(service2: WrongPeer):
    records = [replace(RECORD, id=UUID(int=number)) for number in range(3)]
    service2.behaviour = answering_json(200, {"records": [record.to_json() for record in records], "errors": []})
    assert Service2Client(service2.url).records(3, 1) == records
    assert [request.split(b" HTTP")[0] for request in service2.requests] == [b"GET /status?count=3"]


def test_a_record_that_comes_twice_is_one(service2: WrongPeer):
    service2.behaviour = answering_json(200, {"records": ANSWER["records"] * 2, "errors": []})
    assert Service2Client(service2.url).records(2, 1) == [RECORD]


def test_long_records_of_many_requests_are_read(service2: WrongPeer):
    records = [replace(RECORD, id=UUID(int=number), line="x" * MAX_LINE_LENGTH) for number in range(100)]
    service2.behaviour = answering_json(200, {"records": [record.to_json() for record in records]})
    assert Service2Client(service2.url).records(100, 2) == records


def test_the_requests_that_it_asks_for_are_named(service2: WrongPeer):
    tracing.begin("leader")
    tracing.note_batch(["leader", "other"])
    try:
        Service2Client(service2.url).records(1, 1)
    finally:
        tracing.end()
    assert b"\r\nBatch-Request-IDs: other\r\n" in service2.requests[0]


@pytest.mark.parametrize(
    "behaviour",
    [hanging, byte_by_byte(http(200, BODY)), slow_body(BODY)],
    ids=["hanging", "byte by byte", "slow body"],
)
def test_one_that_takes_too_long_has_timed_out(service2: WrongPeer, behaviour: Behaviour):
    error = failure(service2, behaviour)
    assert error.timed_out
    assert str(error) == "no answer within 0.4 s"


@pytest.mark.parametrize(
    ("behaviour", "text"),
    [
        (answering_json(503, {"detail": "service2: storage did not take it"}), "503: service2: storage did not"),
        (answering(200, b"a line\n"), "200 with an answer that is not a status"),
        (answering(200, b""), "200 with an answer that is not a status"),
        (answering(200, b"[" * 60_000), "200 with an answer that is not a status"),
        (answering(200, BODY[:-5]), "200 with an answer that is not a status"),
        (answering(200, b"\xff"), "200 with an answer that is not a status"),
        (answering(500, b"<html>"), "500 with an answer that is not a status"),
        (answering_json(200, None), "200 with an answer that is not a status"),
        (answering_json(200, {"records": []}), "200 with an answer that is not a status"),
        (answering_json(200, {"records": ANSWER["records"] * 2}), "200 with an answer that is not a status"),
        (answering_json(200, {"records": [{"id": 1}]}), "its record is wrong: field"),
        (answering(302, b"", "Location: /x"), "302 with an answer that is not a status"),
        (hanging_up, "connection lost"),
        (sending(http(200, BODY)[:-5], reset=True), "connection lost"),
        (sending(RUBBISH), "not an HTTP answer"),
        (endless, "the answer is longer than 65,536 bytes"),
    ],
)
def test_a_wrong_answer_has_not_timed_out_and_says_what_it_was(service2: WrongPeer, behaviour: Behaviour, text: str):
    error = failure(service2, behaviour)
    assert not error.timed_out
    assert text in str(error)


def test_nobody_there():
    with pytest.raises(Service2Error, match="connection refused"):
        Service2Client(f"http://127.0.0.1:{free_ports(1)[0]}").records(1, 1)


@pytest.mark.parametrize("reason", ["two\nlines", "\x1b[31m", "\u202e", "\ud800", "x" * 10_000])
def test_whatever_the_reason_it_can_stand_in_one_line_of_ours(service2: WrongPeer, reason: str):
    error = str(failure(service2, answering_json(503, {"detail": reason})))
    assert error.encode().decode().splitlines() == [error]
    assert error.isprintable()
    assert len(error) <= 200
