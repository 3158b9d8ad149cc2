"""`GET /status` of service1 when service2 is down, slow or wrong: the own record is kept, and said within 3 s."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from tests.contract.client import TEXT, get, get_json, within
from tests.contract.conftest import Start
from tests.contract.test_get_status import LINE
from tests.processes import Services, free_ports
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
    wrong_peer,
)

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def service2() -> Iterator[WrongPeer]:
    """What service1 takes for service2."""
    with wrong_peer(hanging) as peer:
        yield peer


@pytest.fixture(scope="module")
def door(system: Services, service2: WrongPeer, start_once: Start) -> str:
    """A service1 that keeps its records in the system's stores, and asks `service2`."""
    started = start_once(
        "service1", STORAGE_URL=system.storage, VSTORAGE_PATH=str(system.vstorage), SERVICE2_URL=service2.url
    )
    return started.service1


def body() -> bytes:
    record = {"id": str(uuid4()), "service": "service2", "timestamp": datetime.now(UTC).isoformat(), "line": "its line"}
    return json.dumps({"records": [record], "errors": []}).encode()


def own_line_then_unavailable(services: Services, address: str, status: int) -> str:
    """The reason. The own line is the answer's first, and all that is in either store."""
    with within(3):
        answer = get(f"{address}/status")
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, TEXT)
    assert answer.headers["Record-Delivery"] == "storage=stored, vstorage=written"
    own, other = answer.text.removesuffix("\n").split("\n")
    assert LINE.fullmatch(own)
    assert services.vstorage.read_text() == f"{own}\n"
    assert get(f"{services.storage}/log").text == f"{own}\n"
    reason = re.fullmatch(r"service2: unavailable \((.+)\)", other)
    assert reason
    return reason[1]


def test_refused_is_502(services: Services, start: Start):
    alone = start(
        "service1",
        STORAGE_URL=services.storage,
        VSTORAGE_PATH=str(services.vstorage),
        SERVICE2_URL=f"http://127.0.0.1:{free_ports(1)[0]}",
    )
    assert own_line_then_unavailable(services, alone.service1, 502) == "connection refused"
    assert get(f"{alone.service1}/readyz").status_code == 200  # it does its own work without service2


def test_a_good_answer_is_handed_on(services: Services, service2: WrongPeer, door: str):
    service2.behaviour = answering(200, body())
    answer = get(f"{door}/status")
    assert (answer.status_code, answer.text.splitlines()[1]) == (200, "its line")


def test_byte_by_byte_is_504(services: Services, service2: WrongPeer, door: str):
    service2.behaviour = byte_by_byte(http(200, body()))
    assert own_line_then_unavailable(services, door, 504).startswith("no answer within ")


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (sending(RUBBISH), "not an HTTP answer"),
        (hanging_up, "connection lost"),
        (sending(http(200, body())[:-9], reset=True), "connection lost"),
        (endless, "the answer is longer than 65,536 bytes"),
        (answering(200, b"<html>"), "200 with an answer that is not a status"),
        (answering(302, b"", "Location: http://127.0.0.1/"), "302 with an answer that is not a status"),
        (answering(500, b"oh"), "500 with an answer that is not a status"),
        (answering_json(503, {"detail": "service2: storage\nfull \x1b[31m"}), "503: service2: storage?full ?[31m"),
        (answering_json(200, {"records": [{"line": "x"}]}), "its record is wrong: field 'id' is missing"),
    ],
    ids=["rubbish", "hangs up", "reset", "1 GB", "HTML", "redirect", "500", "503", "half a record"],
)
def test_wrong_is_502(services: Services, service2: WrongPeer, door: str, behaviour: Behaviour, reason: str):
    service2.behaviour = behaviour
    assert own_line_then_unavailable(services, door, 502) == reason


def test_as_json_the_record_and_the_error(services: Services, service2: WrongPeer, door: str):
    service2.behaviour = sending(RUBBISH)
    answer = get_json(f"{door}/status")
    assert answer.status_code == 502
    (record,) = answer.json()["records"]
    assert record["service"] == "service1"
    assert answer.json()["errors"] == [{"service": "service2", "reason": "not an HTTP answer"}]


def test_a_paused_service2_is_504_and_comes_back(services: Services):
    services.pause("service2")
    try:
        reason = own_line_then_unavailable(services, services.service1, 504)
    finally:
        services.resume("service2")
    assert reason.startswith("no answer within ")
    with within(3):
        answer = get(f"{services.service1}/status")
    assert answer.status_code == 200
    # It was paused before it made its record, and made it afterwards: both stores have that one, too.
    assert services.vstorage.read_bytes() == get(f"{services.storage}/log").content
    assert len(services.vstorage.read_text().splitlines()) == 4


def test_many_at_once_with_a_hanging_service2_are_all_answered_in_time(
    services: Services, service2: WrongPeer, door: str
):
    service2.behaviour = hanging

    def one(_: int) -> int:
        with within(3.5):  # 16 clients of this machine, for whom the 3 s of the contract begin when they are taken
            return get(f"{door}/status").status_code

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(one, range(16))) == [504] * 16
    assert len(services.vstorage.read_text().splitlines()) == 16
    assert services.vstorage.read_bytes() == get(f"{services.storage}/log").content
