"""When PostgreSQL is away, storage says so and nothing is lost; when it is back, all is as before."""

import time
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from tests import postgres
from tests.contract.agreement import stores_agree, until
from tests.contract.client import TEXT, get, get_json, post, within
from tests.contract.conftest import Start
from tests.contract.test_storage_faults import two_lines_are_queued
from tests.processes import Services

pytestmark = [pytest.mark.live, pytest.mark.postgres]


@pytest.fixture
def server() -> Iterator[postgres.PostgresServer]:
    """A test may stop it."""
    assert postgres.server
    yield postgres.server
    if not postgres.server.is_running():
        postgres.server.start()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_without_its_server_storage_says_503_and_the_records_wait(
    services: Services, server: postgres.PostgresServer, mode: str
):
    lines = get(f"{services.service1}/status").text
    server.stop(mode)
    with within(3):
        answer = get(f"{services.admin}/admin/", cookies={"statuslog_session": "a" * 32})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.text == "the database is away or busy\n"
    with within(3):
        answer = post(f"{services.storage}/log", b"a")
    assert (answer.status_code, answer.headers["Content-Type"], answer.headers["Retry-After"]) == (503, TEXT, "1")
    with within(3):
        answer = get_json(f"{services.storage}/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["database_unreachable"])
    assert get(f"{services.storage}/healthz").status_code == 200
    lines += two_lines_are_queued(services)
    server.start()
    until(lambda: stores_agree(services))
    assert services.vstorage.read_text() == lines


def test_a_restart_between_two_requests_is_not_noticed(services: Services, server: postgres.PostgresServer):
    assert post(f"{services.storage}/log", b"a").status_code == 201
    server.stop()
    server.start()
    answer = post(f"{services.storage}/log", b"b")
    assert answer.status_code == 201, answer.text
    assert get(f"{services.storage}/log").text == "a\nb\n"


def test_without_its_server_it_does_not_start_and_says_why(start: Start):
    with pytest.raises(RuntimeError, match=r"\nDATABASE_URL: connection .*refused"):
        start("storage", DATABASE_URL="postgres://statuslog@127.0.0.1:9/statuslog")


def test_a_password_that_is_wrong_is_never_shown(start: Start):
    with pytest.raises(RuntimeError) as error:
        start("storage", DATABASE_URL="postgres://statuslog:my-secret@127.0.0.1:9/statuslog")
    assert "my-secret" not in str(error.value)


def test_those_who_follow_the_log_hold_no_connection(services: Services):
    followers = [HTTPConnection("127.0.0.1", services.ports["storage"], timeout=5) for _ in range(25)]
    for follower in followers:
        follower.request("GET", "/log?follow=1")
    answers = [follower.getresponse() for follower in followers]
    for number in range(2):  # a connection would be held from the first record on
        assert post(f"{services.storage}/log", f"line {number}".encode()).status_code == 201
        time.sleep(1)
    assert [answer.readline() for answer in answers] == [b"line 0\n"] * 25
    assert post(f"{services.storage}/log", b"the last").status_code == 201
    for follower in followers:
        follower.close()
