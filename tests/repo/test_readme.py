"""Every command of README.md is run, as it stands there, in order and in one clone.

How it is written: a fenced block marked `console` is a story without Docker, one marked `console docker` with it.
A line that begins with `$ ` is a command, and `\\` at its end continues it; other lines are printed by the command, in
any order, and compared by shape: digits stand for digits, `…` for anything, and a line of `…` alone for any lines. A
command must succeed. Nothing is started or stopped in between but by README's commands; free ports stand in place of
those that it names.
"""

import hashlib
import re
import secrets
import shutil
import subprocess
import sysconfig
import time
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.conftest import clone
from tests.docker.stack import PYTHON_IMAGE
from tests.processes import answers, clean_environment, free_ports
from tests.repo.readme import Command, FreePorts, blocks, commands, looks_like, stories
from tests.required import leave_out

LOCAL, DOCKER = "console", "console docker"

# Instead of a command that asks, or that goes on until Ctrl-C, its form for scripts.
FOR_SCRIPTS = {
    r"manage_all\.sh run$": "manage_all.sh run --detach",
    r"\./manage_all\.sh createsuperuser$": "DJANGO_SUPERUSER_USERNAME=reader DJANGO_SUPERUSER_PASSWORD='of the README' "
    "DJANGO_SUPERUSER_EMAIL=reader@example.org ./manage_all.sh createsuperuser --noinput",
    r"manage_all\.sh reset$": "manage_all.sh reset --yes",
    r"docker compose up( --build)?$": r"docker compose up\1 --detach --wait",
}
NOT_RUN = {
    r"git clone|cd ": "the clone is there",
    r"\./manage_all\.sh (test|lint)|(\.venv/bin/)?pytest|(bash )?\.ci/": "this is a part of it",
    r".* (--follow|-f)( \w+)?$|tail -[fF]": "it goes on until Ctrl-C",
    r"xdg-open|open |nano |\$EDITOR": "it opens a window",
    r"sudo |apt(-get)? ": "it changes the machine",
}


def in_order(mark: str) -> list[Command]:
    return [command for story in stories(mark) for command in story]


def is_run(command: str) -> bool:
    return not any(re.match(pattern, command) for pattern in NOT_RUN)


class Shell:
    """Runs README's commands in one folder."""

    def __init__(self, folder: Path, environment: dict[str, str], ports: FreePorts) -> None:
        self.folder = folder
        self.environment = environment
        self.ports = ports
        self.servers: list[subprocess.Popen[bytes]] = []
        self.variables = ""  # that README's reader has set in the shell

    def run(self, command: Command) -> None:
        text = self.ports(command.text)
        for pattern, replacement in FOR_SCRIPTS.items():
            text = re.sub(pattern, replacement, text)
        if "manage.py runserver" in text:
            self.serve(text)
            return
        if re.fullmatch(r"[A-Z]+=\$\(.*\)", text):
            self.variables += f"{text}; "
            return
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.variables + text],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        shown = f"$ {text}\n{done.stdout}{done.stderr}"
        assert done.returncode == 0, shown
        for line in command.printed:
            if line not in ("…", "..."):
                assert any(looks_like(line, printed) for printed in shown.splitlines()), f"no line {line!r}:\n{shown}"

    def serve(self, command: str) -> None:
        """Leave Django's development server running, and wait until it answers."""
        port = int(re.findall(r"runserver (?:\S+:)?(\d+)", command)[0])
        with (self.folder / "runserver.log").open("ab") as log:
            self.servers.append(
                subprocess.Popen(
                    ["bash", "-c", f"exec env {command} --noreload"],
                    cwd=self.folder,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )
        deadline = time.monotonic() + 30
        while not answers(port, "/healthz"):
            assert time.monotonic() < deadline, (self.folder / "runserver.log").read_text()
            time.sleep(0.1)

    def stop_servers(self) -> None:
        while self.servers:
            with self.servers.pop() as server:
                server.terminate()


@pytest.fixture
def curl() -> None:
    """Without it README's commands cannot be run: skipped, or failed where all tests are required."""
    if shutil.which("curl") is None:
        leave_out("there is no curl; install it (Debian: apt-get install curl)")


@pytest.fixture
def shell(curl: None) -> Iterator[Shell]:
    """In a fresh clone, whose .venv has the packages of ours."""
    known = dict(zip((8199, 8200, 8201, 8202, 8203), free_ports(5), strict=True))
    environment = {
        **clean_environment(),
        "COMPOSE_PROJECT_NAME": f"t{secrets.token_hex(5)}",  # not one that is up, whose data a command would change
        "PYTHON_IMAGE": PYTHON_IMAGE,
        "SERVICE1_PORT": str(known[8199]),
        "ADMIN_PORT": str(known[8200]),
        "SERVICE2_PORT": str(known[8201]),
        "STORAGE_PORT": str(known[8202]),
        "METRICS_PORT": str(known[8203]),
        # Of runserver, which does not know the ports of the others.
        "STORAGE_URL": f"http://127.0.0.1:{known[8202]}",
        "SERVICE2_URL": f"http://127.0.0.1:{known[8201]}",
    }
    with clone() as folder:
        make_venv(folder)
        shell = Shell(folder, environment, FreePorts(known))
        try:
            yield shell
        finally:
            shell.stop_servers()
            for lock in folder.glob("**/run/lock"):  # README may show how two copies run side by side
                shell.run(Command(f"DATA_DIR={lock.parent.parent} ./manage_all.sh run --stop"))


def make_venv(folder: Path) -> None:
    """A .venv that manage_all.sh takes for current, with the packages of the Python that runs this."""
    place = folder / ".venv"
    venv.create(place, symlinks=True)
    (packages,) = place.glob("lib/python*/site-packages")
    (packages / "ours.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    lock = "requirements.txt"
    digest = hashlib.sha256((folder / lock).read_bytes()).hexdigest()
    (place / "made-from").write_text(f"{lock} {digest} in {place}\n")


def test_every_block_says_what_it_is():
    for mark, text in blocks():
        assert mark not in ("", "sh", "bash", "shell", "terminal"), f"use ```console, or ```text:\n{text}"


def test_the_readme_shows_how_to_run_and_use_it():
    for mark in (LOCAL, DOCKER):
        texts = "\n".join(command.text for command in in_order(mark))
        assert "curl" in texts, mark
    assert "./manage_all.sh run" in "\n".join(command.text for command in in_order(LOCAL))
    assert "docker compose up --build" in "\n".join(command.text for command in in_order(DOCKER))
    assert sum(is_run(command.text) for command in in_order(LOCAL)) >= 5


def run_all(shell: Shell, *marks: str) -> None:
    for mark, text in blocks():
        if mark in marks:
            for command in commands(text):
                if is_run(command.text):
                    shell.run(command)
            shell.stop_servers()


@pytest.mark.live
@pytest.mark.timeout(600)
def test_the_commands_without_docker(shell: Shell):
    run_all(shell, LOCAL)


@pytest.mark.docker
@pytest.mark.timeout(1200)
def test_all_commands(engine: None, shell: Shell):
    try:
        run_all(shell, LOCAL, DOCKER)
    finally:
        shell.run(Command("docker compose down --volumes --remove-orphans --rmi local --timeout 1"))


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("2025-09-26T16:45:06Z: uptime 8.907 hours", "2026-01-01T00:00:00Z: uptime 10.1 hours", True),
        ("2025-09-26T16:45:06Z: uptime 8.907 hours", "2026-01-01T00:00:00Z: uptime ten hours", False),
        ("HTTP/1.1 405 Method Not Allowed", "HTTP/1.1 405 Method Not Allowed\r", True),
        ("HTTP/1.1 405 Method Not Allowed", "HTTP/1.1 404 Not Found", False),
        ('"id": "3f2b8a52-9d4e-4c0b-8a33-0c6f4f3f1d10",', '"id": "00000000-9d4e-4c0b-8a33-0c6f4f3f1d1a",', True),
        ("Date: …", "Date: Thu, 01 Jan 1970", True),
        ("Allow: GET, HEAD", "Allow: GET", False),
    ],
)
def test_looks_like(expected: str, printed: str, same: bool):
    assert looks_like(expected, printed) is same
