"""API_TOKENS on the running system: every service asks for one, and they have one for each other."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.contract.client import ask, get
from tests.manage_all import SCRIPT, LocalSystem
from tests.processes import Services, running

pytestmark = pytest.mark.live

READING, WRITING = "read-0123456789abcdef", "write-0123456789abcde"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, static_root: Path) -> Iterator[Services]:
    settings = {"STATIC_ROOT": str(static_root), "API_TOKENS": f"read:{READING},write:{WRITING}", "LOG_LEVEL": "debug"}
    with running(tmp_path_factory.mktemp("closed"), **settings) as services:
        yield services


def with_token(token: str, url: str, method: str = "GET", **options) -> requests.Response:
    return ask(method, url, headers={"Authorization": f"Bearer {token}"}, **options)


def test_a_status_takes_one_that_may_write(closed: Services):
    assert get(f"{closed.service1}/status").status_code == 401
    assert with_token(READING, f"{closed.service1}/status").status_code == 403
    before = with_token(READING, f"{closed.service1}/log").text
    answer = with_token(WRITING, f"{closed.service1}/status")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Record-Delivery"] == "storage=stored, vstorage=written"
    assert with_token(READING, f"{closed.service1}/log").text == before + answer.text == closed.vstorage.read_text()


def test_the_internal_services_ask_for_one_too(closed: Services):
    assert get(f"{closed.service2}/status").status_code == 401
    assert get(f"{closed.storage}/log").status_code == 401
    assert get(f"{closed.storage}/edition").status_code == 401
    assert ask("POST", f"{closed.storage}/log", data="a").status_code == 401
    assert with_token(READING, f"{closed.storage}/log", "POST", data="a").status_code == 403
    # A body that is wrong: what is in the log alone would make the stores differ.
    assert with_token(WRITING, f"{closed.storage}/log", "POST", data="").status_code == 400


def test_as_a_password(closed: Services):
    refused = get(f"{closed.service1}/log")
    assert refused.headers["WWW-Authenticate"].startswith("Basic ")
    assert refused.headers["Content-Length"] == str(len(refused.content))
    assert get(f"{closed.service1}/log", auth=("", READING)).status_code == 200


def test_health_and_the_admin_ask_for_none(closed: Services):
    for address in (closed.service1, closed.service2, closed.storage):
        assert get(f"{address}/healthz").status_code == 200
        assert get(f"{address}/readyz").status_code == 200
    assert get(f"{closed.admin}/admin/login/").status_code == 200


def test_no_log_has_seen_a_token(closed: Services):
    with_token(WRITING, f"{closed.service1}/status")
    with_token(READING, f"{closed.service1}/log?limit=wrong")
    wrong = "a-token-of-somebody-else"
    assert wrong not in with_token(wrong, f"{closed.service1}/log").text
    for name in ("service1", "service2", "storage"):
        assert closed.output(name)
        assert not any(secret in closed.output(name) for secret in (READING, WRITING, wrong))


def test_manage_all_has_it_from_the_environment(closed: Services, tmp_path: Path):
    system = LocalSystem(
        tmp_path,
        SCRIPT,
        SERVICE1_PORT=str(closed.ports["service1"]),
        SERVICE2_PORT=str(closed.ports["service2"]),
        STORAGE_PORT=str(closed.ports["storage"]),
        DATA_DIR=str(closed.data_dir),
        VSTORAGE_PATH=str(closed.vstorage),
        API_TOKENS=closed.settings["API_TOKENS"],
    )
    with_token(WRITING, f"{closed.service1}/status")
    last = closed.vstorage.read_text().splitlines()[-1]
    assert system("tail", "--local", "-n", "1").stdout == f"{last}\n"
    assert system("verify", "--local").stdout.startswith("equal, ")
    assert "a token is needed" in system("tail", "--local", API_TOKENS="").stderr
