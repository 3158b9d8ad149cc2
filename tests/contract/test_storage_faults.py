"""When storage is down, slow or refusing, the record waits in the outbox, and both stores agree again afterwards."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from statuslog.verdict import Verdict
from tests.contract.agreement import stores_agree, until
from tests.contract.client import PROBLEM, TEXT, get, get_json, within
from tests.contract.conftest import Start, another_writer
from tests.contract.test_get_status import LINE
from tests.processes import Services, free_ports
from tests.wrong_peer import (
    RUBBISH,
    Behaviour,
    WrongPeer,
    answering,
    answering_json,
    byte_by_byte,
    from_storage,
    hanging,
    hanging_up,
    http,
    sending,
    wrong_peer,
)

pytestmark = pytest.mark.live

CODES = (200, 201, 204, 302, 400, 401, 403, 404, 405, 409, 413, 415, 429)  # of a program that is not storage
HEALTHY = from_storage(answering(200), Verdict.STORED)
QUEUED = "storage=queued, vstorage=written"
STORED = "storage=stored, vstorage=written"


@pytest.fixture(scope="module")
def storage() -> Iterator[WrongPeer]:
    """What the services take for storage."""
    with wrong_peer(HEALTHY) as peer:
        yield peer


@pytest.fixture(scope="module")
def other(storage: WrongPeer, start_once: Start) -> Services:
    """A service2 with a vstorage of its own, and `storage`."""
    return start_once("service2", STORAGE_URL=storage.url)


def status(services: Services) -> str:
    """The header that tells where the record is; the line is in vstorage, and the answer came in time."""
    with within(3):
        answer = get(f"{services.service2}/status")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, TEXT), answer.text
    assert LINE.fullmatch(answer.text.removesuffix("\n"))
    assert services.vstorage.read_text().endswith(answer.text)
    return answer.headers["Record-Delivery"]


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (hanging, "no answer within 0.4 s"),
        (byte_by_byte(http(201, b"{}")), "no answer within 0.4 s"),
        (hanging_up, "connection lost"),
        (sending(RUBBISH), "not an HTTP answer"),
        (from_storage(answering_json(507, {"detail": "too little free disk"})), "507: too little free disk"),
        (from_storage(answering_json(409, {"detail": "another one"}), Verdict.REFUSED), "409: another one"),
        *((answering(code, b"<html>"), f"{code} from a program at its address that is not storage") for code in CODES),
    ],
    ids=["hanging", "byte by byte", "hangs up", "rubbish", "507", "409", *map(str, CODES)],
)
def test_the_record_waits_in_the_outbox(storage: WrongPeer, other: Services, behaviour: Behaviour, reason: str):
    storage.behaviour = HEALTHY
    # With something in the outbox it is the delivery that may meet the fault first, and the request then does not try.
    until(lambda: status(other) == STORED and other.readiness("service2")["outbox"]["waiting"] == 0)
    logged = len(other.output("service2"))
    storage.behaviour = behaviour
    assert status(other) == QUEUED
    assert f"storage did not take the record ({reason}); it goes to the outbox" in other.output("service2")[logged:]


def test_a_service_that_waits_for_storage_says_so(storage: WrongPeer, other: Services):
    storage.behaviour = sending(RUBBISH)
    until(lambda: status(other) == QUEUED)
    answer = get(f"{other.service2}/readyz")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["storage_unreachable"]
    assert answer.json()["outbox"]["waiting"] > 0


def test_many_at_once_with_a_hanging_storage_are_all_answered_in_time(storage: WrongPeer, other: Services):
    storage.behaviour = HEALTHY
    until(lambda: status(other) == STORED)
    before = len(other.vstorage.read_bytes().splitlines())
    storage.behaviour = hanging

    def one(_: int) -> tuple[int, str]:
        with within(3):
            answer = get(f"{other.service2}/status")
        return answer.status_code, answer.headers["Record-Delivery"]

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(one, range(16))) == [(200, QUEUED)] * 16
    assert len(other.vstorage.read_bytes().splitlines()) == before + 16


@pytest.mark.parametrize("name", ["service1", "service2"])
def test_when_the_outbox_cannot_keep_it_either_nothing_is_claimed(start: Start, name: str):
    services = start(name, STORAGE_URL=f"http://127.0.0.1:{free_ports(1)[0]}", OUTBOX_MAX_RECORDS="0")
    address = f"{getattr(services, name)}/status"
    for reason in ("storage did not take the record (connection refused)", "storage was down a moment ago"):
        with within(3):
            answer = get(address)
        assert (answer.status_code, answer.headers["Content-Type"]) == (503, TEXT)
        assert answer.text == f"{name}: {reason}; the outbox is full (OUTBOX_MAX_RECORDS=0)\n"
        assert "Record-Delivery" not in answer.headers
    answer = get_json(address)
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, PROBLEM)
    assert answer.json()["detail"] == f"{name}: {reason}; the outbox is full (OUTBOX_MAX_RECORDS=0)"
    assert services.vstorage.read_bytes() == b""
    if name == "service1":
        answer = get(f"{services.service1}/log")
        assert (answer.status_code, answer.headers["Content-Type"]) == (502, TEXT)
        assert answer.text == "storage: unavailable (connection refused)\n"


# GET /log


@pytest.fixture(scope="module")
def door(storage: WrongPeer, start_once: Start) -> str:
    """A service1 with `storage`."""
    return start_once("service1", STORAGE_URL=storage.url).service1


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (hanging_up, "connection lost"),
        (sending(b"", reset=True), "connection lost"),
        (sending(RUBBISH), "not an HTTP answer"),
    ],
    ids=["hangs up", "reset", "rubbish"],
)
def test_the_log_is_502_as_one_line(storage: WrongPeer, door: str, behaviour: Behaviour, reason: str):
    storage.behaviour = behaviour
    with within(3):
        answer = get(f"{door}/log")
    assert (answer.status_code, answer.headers["Content-Type"]) == (502, TEXT)
    assert answer.text == f"storage: unavailable ({reason})\n"


def test_the_log_s_failure_is_a_problem_for_who_asks_for_json(storage: WrongPeer, door: str):
    storage.behaviour = hanging_up
    answer = get_json(f"{door}/log")
    assert (answer.status_code, answer.headers["Content-Type"]) == (502, PROBLEM)
    assert answer.json()["detail"] == "storage: unavailable (connection lost)"


@pytest.mark.parametrize("code", [200, 400, 406, 500, 503])
def test_status_type_and_body_of_the_log_are_storage_s(storage: WrongPeer, door: str, code: int):
    storage.behaviour = from_storage(answering(code, "ä\n".encode(), "Content-Type: text/x-thing; charset=utf-8"))
    answer = get(f"{door}/log")
    assert (answer.status_code, answer.headers["Content-Type"]) == (code, "text/x-thing; charset=utf-8")
    assert answer.content == "ä\n".encode()


def test_the_query_of_the_log_is_handed_on_as_it_is(storage: WrongPeer, door: str):
    storage.behaviour = from_storage(answering(200, b""))
    get(f"{door}/log?since=2025-01-01T00:00:00Z&q=a%20b%2Fc&q=%C3%A4&&x")
    line = next(request for request in reversed(storage.requests) if b"since=" in request).split(b"\r\n")[0]
    assert line == b"GET /log?since=2025-01-01T00:00:00Z&q=a%20b%2Fc&q=%C3%A4&&x HTTP/1.1"


# the real storage


def two_lines_are_queued(services: Services) -> str:
    """The answer to GET /status of service1 while storage is away."""
    with within(3):
        answer = get(f"{services.service1}/status")
    assert answer.status_code == 200
    assert answer.headers["Record-Delivery"] == QUEUED
    assert services.vstorage.read_text().endswith(answer.text)
    return answer.text


def assert_both_stores_have_once(services: Services, lines: str) -> None:
    until(lambda: stores_agree(services))
    assert services.vstorage.read_text() == lines


def test_a_paused_storage(services: Services):
    lines = get(f"{services.service1}/status").text
    services.pause("storage")
    try:
        lines += two_lines_are_queued(services)
        lines += two_lines_are_queued(services)
        with within(3):
            answer = get(f"{services.service1}/log")
        assert (answer.status_code, answer.headers["Content-Type"]) == (504, TEXT)
        assert answer.text == "storage: unavailable (no answer within 2.5 s)\n"
    finally:
        services.resume("storage")
    # What it was sent before the pause it stores now; what comes from the outbox is the same by its id.
    assert_both_stores_have_once(services, lines)


def test_a_killed_storage_and_its_return(services: Services):
    lines = get(f"{services.service1}/status").text
    services.kill("storage")
    try:
        lines += two_lines_are_queued(services)
        lines += two_lines_are_queued(services)
        with within(3):
            assert get(f"{services.service1}/log").status_code == 502
    finally:
        services.start("storage")
    assert_both_stores_have_once(services, lines)


STRANGERS = [answering(code, b"<html>Whatever", "Content-Type: text/html") for code in CODES]


def test_another_program_at_storage_s_address(services: Services):
    lines = get(f"{services.service1}/status").text
    services.kill("storage")
    try:
        with wrong_peer(answering(404), services.ports["storage"]) as stranger:
            for behaviour in STRANGERS:
                stranger.behaviour = behaviour
                lines += two_lines_are_queued(services)
            assert services.readiness("service1")["reasons"] == ["storage_unreachable"]
            assert services.readiness("service1")["outbox"] == {"waiting": len(STRANGERS), "refused": 0}
            assert get(f"{services.service1}/log").status_code == 502
            # A service that starts meanwhile tries it, and its delivery does.
            services.stop("service1")
            services.start("service1", until="/healthz")
            lines += two_lines_are_queued(services)
    finally:
        services.start("storage")
    assert_both_stores_have_once(services, lines)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_an_outbox_that_is_removed_while_records_wait_in_it(services: Services, what: str):
    lines = get(f"{services.service1}/status").text
    folder = services.data_dir / "service1"
    services.kill("storage")
    try:
        lines += two_lines_are_queued(services)
        if what == "file":
            (folder / "outbox.sqlite3").unlink()
        else:
            shutil.rmtree(folder)
        lines += two_lines_are_queued(services)
        assert services.readiness("service1")["outbox"] == {"waiting": 2, "refused": 0}
        services.kill("service1")
        services.start("service1", until="/healthz")
        lines += two_lines_are_queued(services)
    finally:
        services.start("storage")
    assert_both_stores_have_once(services, lines)


def test_another_process_that_writes_to_the_database_for_long(services: Services):
    with another_writer(services):
        lines = two_lines_are_queued(services)
    assert_both_stores_have_once(services, lines)
