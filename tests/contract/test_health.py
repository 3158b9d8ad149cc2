"""`/healthz` and `/readyz` of all three."""

import re
from typing import Any
from unittest.mock import ANY

import pytest

from tests.contract.client import JSON, TEXT, get, get_json, within
from tests.contract.conftest import Start
from tests.processes import Services
from tests.wrong_peer import hanging, wrong_peer

pytestmark = pytest.mark.live

each_service = pytest.mark.parametrize("name", ["service1", "service2", "storage"])


def readyz(address: str) -> tuple[int, Any]:
    with within(3):
        answer = get(f"{address}/readyz")
    assert answer.headers["Content-Type"] == JSON
    return answer.status_code, answer.json()


@each_service
def test_alive(services: Services, name: str):
    answer = get(f"{getattr(services, name)}/healthz")
    assert (answer.status_code, answer.headers["Content-Type"], answer.text) == (200, TEXT, "alive\n")
    assert get_json(f"{getattr(services, name)}/healthz").json() == {"alive": True}


@each_service
def test_ready(services: Services, name: str):
    status, body = readyz(getattr(services, name))
    assert status == 200
    assert (body["ready"], body["reasons"]) == (True, [])


def test_storage_names_the_version_of_its_database(services: Services):
    _, body = readyz(services.storage)
    assert re.fullmatch(r"\d\d\.\d+", body["postgresql"]) if services.database() else body["sqlite"].startswith("3.")


def test_asking_keeps_nothing(services: Services):
    for name in ("service1", "service2", "storage"):
        readyz(getattr(services, name))
    assert get(f"{services.storage}/log").content == services.vstorage.read_bytes() == b""


def test_without_storage_a_service_lives_and_is_not_ready(start: Start):
    with wrong_peer(hanging) as storage:
        services = start("service2", STORAGE_URL=storage.url)
        outbox = {"waiting": 0, "refused": 0}
        not_ready = 503, {"ready": False, "reasons": ["storage_unreachable"], "measured": ANY, "outbox": outbox}
        assert readyz(services.service2) == not_ready
        storage.close()  # from now on: refused
        assert readyz(services.service2) == not_ready
    services.vstorage.unlink()
    assert readyz(services.service2)[1]["reasons"] == ["vstorage_not_writable", "storage_unreachable"]
    assert get(f"{services.service2}/healthz").status_code == 200
