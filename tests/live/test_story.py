"""The story of the system: many clients at once, and both stores hold every line that was answered, in one order."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.processes import Services, running

pytestmark = pytest.mark.live

CLIENTS = 16


@pytest.fixture
def services(tmp_path: Path, static_root: Path) -> Iterator[Services]:
    with running(tmp_path, STATIC_ROOT=str(static_root)) as services:
        yield services


def ask(services: Services, count: int) -> list[str]:
    """The lines of `count` GET /status from CLIENTS clients at once, all of them 200."""

    def client(number: int) -> list[str]:
        lines = []
        with requests.Session() as session:
            session.trust_env = False
            for _ in range(number, count, CLIENTS):
                answer = session.get(f"{services.service1}/status", timeout=10)
                assert answer.status_code == 200, answer.text
                assert answer.headers["Record-Delivery"] == "storage=stored, vstorage=written"
                lines += answer.text.splitlines()
        return lines

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [line for lines in pool.map(client, range(CLIENTS)) for line in lines]


def log(services: Services) -> bytes:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(f"{services.service1}/log", timeout=10)
    assert answer.status_code == 200
    return answer.content


def assert_both_stores_hold(services: Services, lines: list[str]) -> None:
    assert log(services) == services.vstorage.read_bytes()
    assert Counter(services.vstorage.read_text().splitlines()) == Counter(lines)


def test_2000_requests_of_16_clients(services: Services):
    lines = ask(services, 2000)
    assert len(lines) == 4000
    assert_both_stores_hold(services, lines)


def test_two_processes_a_service_keep_one_order(tmp_path: Path, static_root: Path):
    with running(tmp_path, WEB_CONCURRENCY="2", STATIC_ROOT=str(static_root)) as services:
        lines = ask(services, 400)
        assert len(lines) == 800
        assert_both_stores_hold(services, lines)


def test_data_survives_a_restart(services: Services):
    lines = ask(services, 20)
    services.stop()
    services.start()
    assert_both_stores_hold(services, lines)
    assert_both_stores_hold(services, lines + ask(services, 20))


def test_data_survives_a_sudden_death_of_everything(services: Services):
    lines = ask(services, 20)
    services.kill("service1", "service2", "storage")
    services.start()
    assert_both_stores_hold(services, lines + ask(services, 20))
