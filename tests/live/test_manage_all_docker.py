"""manage_all.sh's commands on a Compose stack."""

import json
import secrets
import threading
import time
from collections.abc import Iterator

import pytest
import requests

from tests.docker.conftest import clone, engine
from tests.docker.stack import PYTHON_IMAGE
from tests.manage_all import LocalSystem

__all__ = ["engine"]
pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def stack(engine: None) -> Iterator[LocalSystem]:
    """A fresh clone whose stack `up` has started."""
    with clone() as folder:
        stack = LocalSystem(
            folder,
            script=folder / "manage_all.sh",
            COMPOSE_PROJECT_NAME=f"t{secrets.token_hex(5)}",
            PYTHON_IMAGE=PYTHON_IMAGE,
        )
        try:
            done = stack("up")
            assert done.returncode == 0, done.stderr
            assert f"http://localhost:{stack.public_port}/status" in done.stdout
            assert f"http://127.0.0.1:{stack.admin_port}/admin/" in done.stdout
            yield stack
        finally:
            done = stack("down", "--volumes", "--rmi", "local", "--timeout", "1")
            assert done.returncode == 0, done.stderr


def test_status(stack: LocalSystem):
    done = stack("status")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(" ready\n") == 3
    assert "stores    equal" in done.stdout
    assert str(stack.vstorage) in done.stdout


def test_settings_that_have_changed_since_the_start(stack: LocalSystem):
    changed = "settings of storage changed since the start; docker compose up --detach --wait applies them"
    done = stack("status", MAX_BODY_BYTES="2M")
    assert done.returncode == 1
    assert f"\nsettings  {changed}\n" in done.stdout
    assert stack("verify", MAX_BODY_BYTES="2M").stderr == f"manage_all.sh: {changed}\n"
    assert stack("verify").stderr == ""


@pytest.mark.parametrize("command", ["up", "down"])
def test_an_option_that_compose_does_not_have(stack: LocalSystem, command: str):
    done = stack(command, "--detatch")
    assert (done.returncode, done.stdout) == (2, "")
    wrong, usage = done.stderr.splitlines()
    assert wrong == f"manage_all.sh: {command} does not take: --detatch"
    assert usage.startswith(f"usage: ./manage_all.sh {command} ")
    assert stack("status").returncode == 0


def test_status_of_a_stack_that_is_down(stack: LocalSystem):
    done = stack("status", "--docker", "--json", COMPOSE_PROJECT_NAME="nothing-of-this-name")
    found = json.loads(done.stdout)
    assert (done.returncode, found["ok"]) == (1, False)
    assert [one["reasons"] for one in found["services"].values()] == [["it does not run"]] * 3


def test_logs(stack: LocalSystem):
    done = stack("logs", "service2")
    assert "service2-1" in done.stdout
    assert "service1-1" not in done.stdout


def test_the_logs_of_a_request(stack: LocalSystem):
    request = requests.get(f"{stack.public}/status", timeout=10).headers["X-Request-ID"]
    deadline = time.monotonic() + 10  # the engine may show them a moment later
    while (done := stack("logs", "--request", request)).stdout.count("\n") < 4:
        assert time.monotonic() < deadline, done
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["service"] for event in events] == ["storage", "storage", "service2", "service1"]


def test_tail(stack: LocalSystem):
    lines = requests.get(f"{stack.public}/status", timeout=10).text
    assert stack("tail", "-n", "2").stdout == lines
    follower = stack.popen("tail", "-f", "-n", "1")
    assert follower.stdout
    try:
        assert follower.stdout.readline() == lines.splitlines(keepends=True)[-1]
        lines = requests.get(f"{stack.public}/status", timeout=10).text
        assert follower.stdout.readline() + follower.stdout.readline() == lines
    finally:
        follower.terminate()
        follower.communicate()


def test_migrate(stack: LocalSystem):
    done = stack("migrate", "--check")
    assert done.returncode == 0, done.stderr


def test_local_is_not_the_stack(stack: LocalSystem):
    assert "nothing has run here" in stack("status", "--local").stderr


def test_reset_under_load_fails_no_request_and_keeps_stores_equal_and_admins(stack: LocalSystem):
    user = {
        "DJANGO_SUPERUSER_USERNAME": "kept",
        "DJANGO_SUPERUSER_PASSWORD": "a long 'enough' $one",
        "DJANGO_SUPERUSER_EMAIL": "a@example.org",
    }
    assert stack("createsuperuser", "--noinput", **user).returncode == 0
    answers: list[str] = []
    enough = threading.Event()

    def client() -> None:
        while not enough.is_set():
            answer = requests.get(f"{stack.public}/status", timeout=10)
            answers.append("" if answer.status_code == 200 else answer.text)

    clients = [threading.Thread(target=client) for _ in range(2)]
    for thread in clients:
        thread.start()
    try:
        done = stack("reset", "--yes")
        assert done.returncode == 0, done.stderr
    finally:
        enough.set()
        for thread in clients:
            thread.join()

    assert set(answers) == {""}
    assert 0 < stack.vstorage.read_bytes().count(b"\n") < 2 * len(answers)
    assert requests.get(f"{stack.public}/log", timeout=10).content == stack.vstorage.read_bytes()
    assert "already taken" in stack("createsuperuser", "--noinput", **user).stderr


def test_backup_restore_and_prune(stack: LocalSystem):
    requests.get(f"{stack.public}/status", timeout=10)
    before = requests.get(f"{stack.public}/log", timeout=10).content
    done = stack("backup", "kept")
    assert done.returncode == 0, done.stderr
    assert f"kept: {len(before.splitlines())} records\n" in done.stdout
    requests.get(f"{stack.public}/status", timeout=10)
    assert requests.get(f"{stack.public}/log", timeout=10).content != before
    done = stack("restore", "--yes", "kept")
    assert done.returncode == 0, done.stdout + done.stderr
    assert requests.get(f"{stack.public}/log", timeout=10).content == before == stack.vstorage.read_bytes()
    done = stack("prune", "--keep-last", "1", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("equal, 1 record\n")
    assert stack.vstorage.read_bytes() == before.splitlines(keepends=True)[-1]
    assert requests.get(f"{stack.public}/log", timeout=10).content == stack.vstorage.read_bytes()
    junk = stack.folder / "junk"
    junk.write_text("junk")
    assert "nothing was restored" in stack("restore", "--yes", "junk").stderr


def test_import(stack: LocalSystem):
    requests.get(f"{stack.public}/status", timeout=10)
    before = requests.get(f"{stack.public}/log", timeout=10).text
    older = "".join(
        f"2025-09-26T16:{n // 60:02}:{n % 60:02}Z: uptime 8.907 hours, free disk in root: 36207.74 MBytes\n"
        for n in range(100)
    )
    (stack.folder / "older").write_text(older)
    done = stack("import", "older")
    assert (done.returncode, done.stderr) == (0, "")
    assert "stored 100, known already 0, rejected 0\n" in done.stdout
    assert requests.get(f"{stack.public}/log", timeout=10).text == older + before == stack.vstorage.read_text()
    again = stack("import", "-", stdin=older + "hello\n")
    assert again.returncode == 1
    assert "stored 0, known already 100, rejected 1\n" in again.stdout
    assert "line 101: it has no time with its zone" in again.stderr


def test_an_argument_is_handed_on(stack: LocalSystem):
    assert stack("up", "--no-such-option").returncode != 0
    assert stack("down", "--no-such-option").returncode != 0
