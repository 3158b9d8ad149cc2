"""A Compose stack of a test's own: a copy of the source tree, a project name and ports that nobody else has."""

import json
import os
import re
import secrets
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import requests

from tests.processes import ROOT, clean_environment, free_ports

PYTHON_IMAGE = os.environ.get("PYTHON_IMAGE", "python:3.13-slim")
SERVICES = ("service1", "service2", "storage")
CONTAINERS = (*SERVICES, "vstorage-init")
HEALTHY_SECONDS = 30
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ: uptime \d+\.\d{3} hours, free disk in root: \d+\.\d{2} MBytes")


def copy_source(folder: Path) -> None:
    """What a fresh clone holds: every file that git does not ignore, and an empty vstorage."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():  # else it is deleted and not yet committed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / "vstorage").write_bytes(b"")


def give_to(folder: Path, owner: int) -> None:
    """Let the user with that number own the clone, and nobody else read it, as with a umask of 077."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner, owner)
        path.chmod(path.stat().st_mode & ~0o077)


class Stack:
    """The Compose project of the clone in `folder`; `settings` are variables of its shell."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.project = f"t{secrets.token_hex(5)}"
        self.vstorage = folder / "vstorage"
        self.public_port, self.admin_port = free_ports(2)
        self.public, self.admin = (f"http://127.0.0.1:{port}" for port in (self.public_port, self.admin_port))
        self._environment = {
            **{name: value for name, value in clean_environment().items() if not name.startswith("COMPOSE_")},
            "COMPOSE_PROJECT_NAME": self.project,
            "PYTHON_IMAGE": PYTHON_IMAGE,
            "SERVICE1_PORT": str(self.public_port),
            "ADMIN_PORT": str(self.admin_port),
            **settings,
        }
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy between the test and this machine

    def compose(self, *arguments: str, **environment: str) -> str:
        """What `docker compose` prints; raises AssertionError with all of it when it fails."""
        command = ["docker", "compose", *arguments]
        environment = {**self._environment, **environment}  # where an empty variable counts as one that is not set
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def up(self, *arguments: str, seconds: int = HEALTHY_SECONDS) -> None:
        """Build, then start; every service is healthy within the time."""
        self.compose("build", "--quiet")
        try:
            self.compose("up", "--detach", "--wait", "--wait-timeout", str(seconds), *arguments)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.compose('logs')}") from error

    def remove(self) -> None:
        """Leave nothing behind: no container, no volume, no network, no image."""
        self.compose("down", "--volumes", "--remove-orphans", "--rmi", "local", "--timeout", "1")

    def get(self, url: str) -> requests.Response:
        return self._http.get(url, timeout=10)

    def status(self) -> list[str]:
        """The lines of one good GET /status."""
        answer = self.get(f"{self.public}/status")
        assert answer.status_code == 200, answer.text
        return answer.text.splitlines()

    def log(self) -> bytes:
        """The body of one good GET /log."""
        answer = self.get(f"{self.public}/log")
        assert answer.status_code == 200, answer.text
        return answer.content

    def wait_until_ready(self) -> None:
        """Return when service1 says that it, and with it storage, can do its work, and service2 answers it."""
        deadline = time.monotonic() + HEALTHY_SECONDS
        while not all(self.readiness(service).get("ready") for service in ("service1", "service2")):
            assert time.monotonic() < deadline, self.compose("logs", "--tail", "50")
            time.sleep(0.2)

    def python(self, service: str, code: str) -> str:
        """What the code prints when the service's container runs it."""
        return self.compose("exec", "-T", service, "python", "-c", code)

    def readiness(self, service: str) -> dict[str, Any]:
        """What the service answers to GET /readyz, or nothing when it gives no answer."""
        code = "import requests; print(requests.get('http://127.0.0.1:8000/readyz', timeout=5).text)"
        try:
            answer: dict[str, Any] = json.loads(self.python(service, code))
        except AssertionError:
            return {}  # it is restarting
        return answer

    def integrity(self) -> str:
        """What SQLite says of storage's database; "ok" when it is whole."""
        code = """if True:
            import sqlite3
            print(*sqlite3.connect('/data/storage/db.sqlite3').execute('PRAGMA integrity_check').fetchone())
        """
        return self.python("storage", code).strip()

    def output(self, service: str) -> str:
        """What the service has logged."""
        return self.compose("logs", "--no-log-prefix", service)

    def fetch(self, service: str, url: str) -> int:
        """The status code that the url answers when the service's container asks."""
        code = "import requests; print(requests.get({!r}, timeout=5).status_code)"
        return int(self.python(service, code.format(url)))

    def inspect(self, service: str) -> dict[str, Any]:
        """`docker inspect` of the service's container, also of one that has ended."""
        (found,) = docker_json("inspect", self.container(service))
        return found

    def container(self, service: str) -> str:
        """The name that Compose gives to the service's container."""
        return f"{self.project}-{service}-1"

    def image(self, service: str) -> str:
        return f"{self.project}-{service}"

    def network(self, name: str) -> dict[str, Any]:
        (found,) = docker_json("network", "inspect", f"{self.project}_{name}")
        return found


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout


def docker_json(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(docker(*arguments))
    return found
