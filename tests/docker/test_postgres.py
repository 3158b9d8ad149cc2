"""docker-compose.postgres.yml: three storages and three service2s on one PostgreSQL."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.conftest import clone, succeeds
from tests.docker.stack import LINE, PYTHON_IMAGE, Stack, docker, docker_json
from tests.live.oracle import check, load
from tests.processes import ROOT

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]

REAL_IMAGE, STAND_IN = "postgres:17-alpine", "statuslog-postgres:17"
REPLICAS = 3
SECONDS = 90  # for the database to be made, and for eight containers of a small machine to come up
CLIENTS = 16


class PostgresStack(Stack):
    """The stack with both files."""

    def __init__(self, folder: Path, image: str) -> None:
        files = "docker-compose.yml:docker-compose.postgres.yml"
        super().__init__(folder, COMPOSE_FILE=files, POSTGRES_IMAGE=image)

    def integrity(self) -> str:
        """What pg_amcheck finds wrong with the tables and the indexes; "ok" when it is nothing."""
        check = ["pg_amcheck", "--username=statuslog", "--install-missing", "--heapallindexed", "statuslog"]
        return self.compose("exec", "-T", "postgres", *check).strip() or "ok"

    def replica(self, service: str, number: int) -> str:
        return f"{self.project}-{service}-{number}"


@pytest.fixture(scope="module")
def image(engine: None) -> str:
    """The image that the file names, if this machine has it; else one of Debian's packages that does the same."""
    for candidate in (os.environ.get("POSTGRES_IMAGE"), REAL_IMAGE, STAND_IN):
        if candidate and succeeds("docker", "image", "inspect", candidate):
            return candidate
    folder = ROOT / "tests" / "docker" / "postgres"
    docker("build", "--quiet", "--build-arg", f"PYTHON_IMAGE={PYTHON_IMAGE}", "--tag", STAND_IN, str(folder))
    return STAND_IN


@pytest.fixture(scope="module")
def stack(image: str) -> Iterator[PostgresStack]:
    with clone() as folder:
        stack = PostgresStack(folder, image)
        try:
            stack.up("--scale", f"storage={REPLICAS}", "--scale", f"service2={REPLICAS}", seconds=SECONDS)
            yield stack
        finally:
            stack.remove()


def test_it_is_the_same_system(stack: PostgresStack) -> None:
    lines = stack.status()
    assert len(lines) == 2
    assert all(LINE.fullmatch(line) for line in lines)
    assert stack.log() == stack.vstorage.read_bytes()
    assert "postgresql" in stack.readiness("storage")


def test_the_admin_is_on_its_port_and_the_replicas_on_none(stack: PostgresStack) -> None:
    assert stack.get(f"{stack.admin}/admin/login/").status_code == 200
    for number in range(1, REPLICAS + 1):
        (storage,) = docker_json("inspect", stack.replica("storage", number))
        assert not storage["HostConfig"]["PortBindings"]


def test_the_server_is_locked_up_like_the_others(stack: PostgresStack) -> None:
    server = stack.inspect("postgres")
    assert server["Config"]["User"] == "postgres"
    host = server["HostConfig"]
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["PortBindings"] or {}) == (True, ["ALL"], {})
    assert list(server["NetworkSettings"]["Networks"]) == [f"{stack.project}_database"]
    assert stack.network("database")["Internal"]


def test_the_password_is_made_and_in_no_setting(stack: PostgresStack) -> None:
    password = stack.python("storage", "print(open('/run/database/password').read())").strip()
    assert len(password) > 30
    for container in ("postgres", "storage", "admin"):
        assert password not in str(stack.inspect(container))
    code = "import os; del os.environ['DATABASE_PASSWORD_FILE']; os.execlp('python', 'python', *{!r})"
    with pytest.raises(AssertionError, match="password"):
        stack.python("storage", code.format(["storage/manage.py", "prepare"]))
    assert (
        stack.compose("exec", "-T", "service2", "ls", "/run").split()
        == stack.compose("exec", "-T", "service1", "ls", "/run").split()
    )


@pytest.mark.parametrize("signal", ["KILL", "pause"])
def test_one_of_three_storages_fails_under_load(stack: PostgresStack, signal: str) -> None:
    with load(stack, CLIENTS) as seen:
        time.sleep(2)
        for number in range(1, REPLICAS + 1):  # whichever it is that the services talk to
            name = stack.replica("storage", number)
            docker(*(["pause"] if signal == "pause" else ["kill", "--signal", signal]), name)
            time.sleep(3)
            docker("unpause" if signal == "pause" else "start", name)
            time.sleep(2)
    assert check(stack, seen) > 100
    assert seen.share_of_200 > 0.5  # nine containers of a small machine, of which one is missing


def test_one_of_three_service2s_is_killed_under_load(stack: PostgresStack) -> None:
    with load(stack, CLIENTS) as seen:
        time.sleep(1)
        for number in (1, 2):
            docker("kill", stack.replica("service2", number))
            time.sleep(2)
            docker("start", stack.replica("service2", number))
    assert check(stack, seen) > 100


def test_postgres_is_killed_under_load(stack: PostgresStack) -> None:
    with load(stack, CLIENTS) as seen:
        time.sleep(2)
        docker("kill", stack.container("postgres"))
        time.sleep(3)
        docker("start", stack.container("postgres"))
        time.sleep(3)
    assert check(stack, seen) > 100
    assert seen.share_of_200 > 0.5  # nine containers of a small machine, of which one is missing
