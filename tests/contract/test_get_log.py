"""`GET /log` of storage, and of service1, which hands it on."""

import http.client
import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.contract.agreement import until
from tests.contract.client import JSON, PROBLEM, TEXT, ask, get, get_json, post, within
from tests.contract.conftest import database
from tests.processes import Services

pytestmark = pytest.mark.live

both = pytest.mark.parametrize("name", ["storage", "service1"])


def log(services: Services, name: str) -> str:
    return f"{getattr(services, name)}/log"


KEEP = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
    "INSERT INTO logs_logrecord (record_id, service, instance, timestamp, line, received_at) "
    "SELECT printf('%032x', i), 's', 'i', datetime(1700000000 + i, 'unixepoch'), "
    "substr(printf('%08d ', i) || '{filler}', 1, {length}), '2025-01-01 00:00:00' FROM n",
    "postgres": "INSERT INTO logs_logrecord (record_id, service, instance, timestamp, line, received_at) "
    "SELECT lpad(to_hex(i), 32, '0')::uuid, 's', 'i', to_timestamp(1700000000 + i), "
    "substr(lpad(i::text, 8, '0') || ' {filler}', 1, {length}), now() FROM generate_series(1, {count}) AS i",
}


def keep(services: Services, count: int, length: int = 80) -> None:
    """A long log, put there the short way."""
    statement = KEEP["postgres" if services.database() else "sqlite"]
    with closing(database(services)) as connection:
        connection.execute(statement.format(count=count, length=length, filler="x" * length))


def expected(count: int, length: int = 80) -> bytes:
    return "".join(f"{i:08d} {'x' * length}"[:length] + "\n" for i in range(1, count + 1)).encode()


@both
def test_an_empty_log_is_an_empty_body(services: Services, name: str):
    answer = get(log(services, name))
    assert (answer.status_code, answer.headers["Content-Type"], answer.content) == (200, TEXT, b"")


@both
def test_every_line_is_ended_by_a_newline(services: Services, name: str):
    post(f"{services.storage}/log", "a\nä 😀".encode())
    assert get(log(services, name)).content == "a\nä 😀\n".encode()


@both
def test_a_record_that_comes_late_takes_its_place(services: Services, name: str):
    now = datetime.now(UTC)
    post(f"{services.storage}/log", b"arrived now")
    for minutes in (-1, -3, -2, 5, -2):
        moment = (now + timedelta(minutes=minutes)).isoformat()
        record = {"id": str(uuid4()), "service": "s", "timestamp": moment, "line": f"at {minutes}"}
        post(f"{services.storage}/log", json.dumps(record), JSON)
    assert get(log(services, name)).text.splitlines() == ["at -3", "at -2", "at -2", "at -1", "arrived now", "at 5"]


def test_records_of_one_moment_stand_in_the_order_of_their_arrival(services: Services):
    records = [
        {"id": str(uuid4()), "service": "s", "timestamp": "2025-01-01T00:00:00Z", "line": str(number)}
        for number in range(20)
    ]
    post(f"{services.storage}/log", json.dumps(records), JSON)
    assert get(f"{services.service1}/log").text.splitlines() == [str(number) for number in range(20)]


@both
def test_head_is_a_get_without_its_body(services: Services, name: str):
    post(f"{services.storage}/log", b"a")
    answer = ask("HEAD", log(services, name))
    assert (answer.status_code, answer.headers["Content-Type"], answer.content) == (200, TEXT, b"")
    assert "Content-Length" not in answer.headers  # as it is not known


@both
def test_what_storage_refuses_is_refused_the_same_way_through_service1(services: Services, name: str):
    answer = get(log(services, name), params={"since": "soon"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, TEXT)
    assert answer.text.startswith("since: must be a time with its zone")
    problem = get_json(log(services, name), params={"since": "soon"})
    assert (problem.status_code, problem.headers["Content-Type"]) == (400, PROBLEM)
    assert problem.json()["detail"] == answer.text.strip()


@both
@pytest.mark.parametrize("accept", ["text/html, */*;q=0.1", "image/png"])
def test_the_log_is_text_for_who_would_like_something_else_best(services: Services, name: str, accept: str):
    post(f"{services.storage}/log", b"a")
    answer = get(log(services, name), headers={"Accept": accept})
    assert (answer.status_code, answer.headers["Content-Type"], answer.text) == (200, TEXT, "a\n")


@both
def test_a_part_of_the_log_as_whole_records(services: Services, name: str):
    records = [
        {"id": str(uuid4()), "service": "s", "timestamp": f"2025-01-01T00:00:0{number}Z", "line": str(number)}
        for number in range(5)
    ]
    post(f"{services.storage}/log", json.dumps(records), JSON)
    window = {"since": "2025-01-01T00:00:01Z", "until": "2025-01-01T00:00:04Z", "limit": "2"}
    assert get(log(services, name), params=window).text == "1\n2\n"
    answer = get(log(services, name), params={**window, "format": "ndjson"})
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert [record["id"] for record in found] == [record["id"] for record in records[1:3]]


@both
def test_pages_of_json_that_are_followed_are_the_log(services: Services, name: str):
    keep(services, 25)
    lines, address = [], "/log?limit=10"
    while address:
        page = get_json(f"{getattr(services, name)}{address}").json()
        lines += [record["line"] for record in page["records"]]
        address = page["next"]
    assert "".join(f"{line}\n" for line in lines).encode() == expected(25)


@both
def test_who_has_the_log_gets_304_until_it_changes(services: Services, name: str):
    post(f"{services.storage}/log", b"a")
    tag = get(log(services, name)).headers["ETag"]
    again = get(log(services, name), headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert not {"Content-Type", "Transfer-Encoding"} & set(again.headers)
    post(f"{services.storage}/log", b"b")
    assert get(log(services, name), headers={"If-None-Match": tag}).text == "a\nb\n"


@both
@pytest.mark.parametrize("form", ["text", "json", "ndjson", "csv"])
def test_compressed_it_is_the_same(services: Services, name: str, form: str):
    keep(services, 100)
    plain = get(log(services, name), params={"format": form}, headers={"Accept-Encoding": "identity"})
    small = get(log(services, name), params={"format": form}, headers={"Accept-Encoding": "gzip"})
    assert small.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert small.content == plain.content  # which `requests` has decompressed
    assert set(small.headers["Vary"].split(", ")) == {"Accept", "Accept-Encoding"}


def test_a_search_may_take_longer_than_anything_else(services: Services):
    keep(services, 1)
    answer = get(f"{services.storage}/log", params={"contains": "x"})
    assert int(answer.headers["Answer-Silence"]) > 10


@both
def test_a_long_log_is_streamed_whole(services: Services, name: str):
    keep(services, 50_000)
    with ask_stream(services, name) as answer:
        assert answer.getheader("Transfer-Encoding") == "chunked"
        assert answer.read() == expected(50_000)


def test_a_slow_reader_holds_up_neither_writers_nor_other_readers(services: Services):
    keep(services, 50_000, length=300)
    with ask_stream(services, "service1") as answer:
        answer.read(1000)
        with within(3):
            assert post(f"{services.storage}/log", b"meanwhile").status_code == 201
            assert get(f"{services.service1}/status").status_code == 200
        rest = answer.read()
    assert rest.endswith(expected(50_000, 300)[-1000:])  # what came later is for the next reader


def test_storage_that_dies_in_the_middle_does_not_look_like_the_end_of_the_log(services: Services):
    keep(services, 40_000, length=300)
    try:
        with ask_stream(services, "service1") as answer:
            answer.read(1000)
            services.kill("storage")
            with pytest.raises((http.client.IncompleteRead, ConnectionError)), within(6):
                answer.read()
    finally:
        services.start("storage")
    assert get(f"{services.service1}/log").content == expected(40_000, 300)  # and nothing is lost


def test_storage_that_falls_silent_in_the_middle_does_not_look_like_the_end_of_the_log(services: Services):
    keep(services, 40_000, length=300)
    try:
        with ask_stream(services, "service1") as answer:
            answer.read(1000)
            services.pause("storage")
            with pytest.raises((http.client.IncompleteRead, ConnectionError)), within(6):
                answer.read()
    finally:
        services.resume("storage")
    until(lambda: get(f"{services.storage}/readyz").status_code == 200)


class ask_stream:  # noqa: N801 - reads as a function, and closes what it has opened
    """A GET /log whose body is read bit by bit."""

    def __init__(self, services: Services, name: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", services.ports[name], timeout=10)

    def __enter__(self) -> http.client.HTTPResponse:
        self._connection.request("GET", "/log")
        answer = self._connection.getresponse()
        assert answer.status == 200
        return answer

    def __exit__(self, *_: object) -> None:
        self._connection.close()
