"""`GET /status` of service1 and service2."""

import re
import socket
import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tests.contract.client import JSON, TEXT, ask, get, get_json, within
from tests.contract.conftest import Start
from tests.processes import Services

pytestmark = pytest.mark.live

LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ: uptime \d+\.\d{3} hours, free disk in root: \d+\.\d{2} MBytes$")
FIELDS = {
    "id",
    "service",
    "instance",
    "timestamp",
    "host_uptime_seconds",
    "container_uptime_seconds",
    "disk_free_bytes",
    "disk_total_bytes",
    "line",
}


def test_service1_answers_two_lines(services: Services):
    with within(3):
        answer = get(f"{services.service1}/status")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, TEXT)
    assert answer.text.endswith("\n")
    assert len(answer.text.splitlines()) == 2
    assert all(LINE.match(line) for line in answer.text.splitlines())


def test_service2_answers_one_line(services: Services):
    answer = get(f"{services.service2}/status")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, TEXT)
    assert LINE.fullmatch(answer.text.removesuffix("\n"))


@pytest.mark.parametrize("name", ["service1", "service2"])
def test_the_header_tells_where_the_record_is(services: Services, name: str):
    answer = get(f"{getattr(services, name)}/status")
    assert answer.headers["Record-Delivery"] == "storage=stored, vstorage=written"


def test_both_stores_have_the_lines_that_were_answered(services: Services):
    answered = b"".join(get(f"{services.service1}/status").content for _ in range(5))
    assert get(f"{services.service1}/log").content == answered
    assert services.vstorage.read_bytes() == answered


@pytest.mark.parametrize("ask_for_json", [{"headers": {"Accept": JSON}}, {"params": {"format": "json"}}])
def test_the_same_as_json(services: Services, ask_for_json: dict[str, dict[str, str]]):
    answer = get(f"{services.service1}/status", **ask_for_json)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, JSON)
    body = answer.json()
    assert set(body) == {"records", "errors"}
    assert body["errors"] == []
    assert [record["service"] for record in body["records"]] == ["service1", "service2"]
    assert services.vstorage.read_text().splitlines() == [record["line"] for record in body["records"]]


def test_json_loses_nothing(services: Services):
    before = datetime.now(UTC)
    (record,) = get_json(f"{services.service2}/status").json()["records"]
    assert set(record) == FIELDS
    assert UUID(record["id"])
    assert record["instance"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", record["timestamp"])
    assert before <= datetime.fromisoformat(record["timestamp"]) <= before + timedelta(seconds=5)
    assert record["line"] == (
        f"{record['timestamp'][:19]}Z: uptime {record['host_uptime_seconds'] / 3600:.3f} hours, "
        f"free disk in root: {record['disk_free_bytes'] / 2**20:.2f} MBytes"
    )
    assert 0 <= record["container_uptime_seconds"] <= record["host_uptime_seconds"]
    assert 0 < record["disk_free_bytes"] < record["disk_total_bytes"]


def test_two_records_never_have_the_same_time_or_id(services: Services):
    answers: list[dict[str, str]] = []

    def work() -> None:
        for _ in range(5):
            answers.extend(get_json(f"{services.service1}/status").json()["records"])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({record["timestamp"] for record in answers}) == len({record["id"] for record in answers}) == 40


def test_the_text_is_the_default_whatever_a_browser_says(services: Services):
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    assert get(f"{services.service1}/status", headers=browser).headers["Content-Type"] == TEXT


def test_head_is_a_get_without_its_body(services: Services):
    answer = ask("HEAD", f"{services.service1}/status")
    assert (answer.status_code, answer.headers["Content-Type"], answer.content) == (200, TEXT, b"")
    assert "Record-Delivery" in answer.headers
    assert len(services.vstorage.read_text().splitlines()) == 2


def test_the_two_switches_of_the_line(services: Services, start: Start):
    switched = start(
        "service2", STORAGE_URL=services.storage, RECORD_TIMESTAMP="milliseconds", RECORD_UPTIME="container"
    )
    (record,) = get_json(f"{switched.service2}/status").json()["records"]
    assert record["line"].startswith(
        f"{record['timestamp'][:23]}Z: uptime {record['container_uptime_seconds'] / 3600:.3f} hours, "
    )


def test_clients_that_send_nothing_cost_a_thread_and_not_the_service(services: Services):
    silent = [socket.create_connection(("127.0.0.1", services.ports["service1"])) for _ in range(10)]
    with within(3):
        assert get(f"{services.service1}/status").status_code == 200
    for connection in silent:
        connection.close()
