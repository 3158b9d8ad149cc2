"""The three services as real processes on free ports, each test with data of its own.

For tests that need a real socket, a real lock or a real death. It starts what a container starts,
`statuslog/serve.sh`, and ends only what it has started.
"""

import http.client
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from tests import postgres

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("storage", "service2", "service1")
START_SECONDS = 60.0
STOP_SECONDS = 15.0

# Of the caller's own environment only what a service or pip needs to run at all reaches the processes.
FOREIGN = ("DJANGO_", "OTEL_", "RECORD_", "SERVICE1_", "SERVICE2_", "STORAGE_", "GUNICORN_", "PYTEST_", "STATUSLOG_")
FOREIGN_NAMES = {
    "ADMIN_PORT",
    "API_TOKENS",
    "API_TOKENS_FILE",
    "BIND",
    "DATABASE_PASSWORD_FILE",
    "DATABASE_URL",
    "DATA_DIR",
    "HTTPS",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "MAX_BODY_BYTES",
    "METRICS_PORT",
    "METRICS_PUBLIC",
    "MIN_FREE_BYTES",
    "SCRIPT_NAME",
    "STATIC_ROOT",
    "TRUSTED_PROXIES",
    "VSTORAGE_PATH",
    "WEB_CONCURRENCY",
}


def clean_environment() -> dict[str, str]:
    """The caller's environment without any setting of this system."""
    return {
        name: value for name, value in os.environ.items() if name not in FOREIGN_NAMES and not name.startswith(FOREIGN)
    }


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nothing listens on, below those that the kernel gives to outgoing connections."""
    held: list[socket.socket] = []
    while len(held) < count:
        candidate = socket.socket()
        try:
            candidate.bind(("127.0.0.1", random.randrange(10_000, 32_000)))
        except OSError:
            candidate.close()
        else:
            held.append(candidate)
    ports = [holder.getsockname()[1] for holder in held]
    for holder in held:
        holder.close()
    return ports


def answers(port: int, path: str) -> bool:
    """Whether a GET of the path is answered with 200 now."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Services:
    """service1, service2 and storage, with their data and vstorage in `folder`.

    `settings` are environment variables for all three. A setting wins over what is wired up here, so that
    SERVICE2_URL, say, can name a server of the test's own.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.data_dir = folder / "data"
        self.vstorage = folder / "vstorage"
        self.settings = settings
        self.ports = dict(zip((*NAMES, "admin", "metrics"), free_ports(5), strict=True))
        self.service1, self.service2, self.storage, self.admin = (
            f"http://127.0.0.1:{self.ports[name]}" for name in ("service1", "service2", "storage", "admin")
        )
        self.public_port = self.ports["service1"]
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._database: dict[str, str] = {}  # storage's DATABASE_URL, in a run of pytest with --postgres
        folder.mkdir(parents=True, exist_ok=True)
        self.vstorage.touch()

    def environment(self, name: str) -> dict[str, str]:
        """The environment that the service is started with."""
        bind = f"127.0.0.1:{self.ports[name]}"
        if name == "storage":
            bind += f",127.0.0.1:{self.ports['admin']}"
        if name == "service1":
            bind += f",127.0.0.1:{self.ports['metrics']}"
        clean = clean_environment()
        return {
            **clean,
            "PATH": f"{Path(sys.executable).parent}:{clean.get('PATH', '')}",
            "BIND": bind,
            "ADMIN_PORT": str(self.ports["admin"]),
            "METRICS_PORT": str(self.ports["metrics"]),
            "STORAGE_URL": self.storage,
            "SERVICE2_URL": self.service2,
            "DATA_DIR": str(self.data_dir),
            "VSTORAGE_PATH": str(self.vstorage),
            **(self.database() if name == "storage" else {}),
            **self.settings,
        }

    def database(self) -> dict[str, str]:
        """The variables that name storage's database; none for SQLite in its folder."""
        if postgres.server and not self._database:
            self._database["DATABASE_URL"] = postgres.server.new_database()
        return self._database

    def command(self, name: str) -> list[str]:
        """What starts the service."""
        return [str(ROOT / "statuslog" / "serve.sh"), name]

    def start(self, *names: str, until: str = "/readyz") -> None:
        """Start the named services, else all, and return when each answers `until` with 200."""
        names = names or NAMES
        for name in names:
            with self._log(name).open("ab") as log:
                self._processes[name] = subprocess.Popen(
                    self.command(name),
                    env=self.environment(name),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # a group of its own, to be ended with all its workers
                )
        for name in names:
            self._wait(name, until)

    def stop(self, *names: str) -> None:
        """End the named services, else all, as Docker does: a signal, and time for the requests under way."""
        names = names or tuple(self._processes)
        for name in names:
            self._signal(name, signal.SIGTERM)
        for name in names:
            with suppress(subprocess.TimeoutExpired):
                self._processes[name].wait(STOP_SECONDS)
            self.kill(name)  # also what workers may be left

    def kill(self, *names: str) -> None:
        """End the named services with SIGKILL, at once and with all their workers."""
        for name in names:
            self._signal(name, signal.SIGKILL)
            killed = self._processes.pop(name)
            killed.wait()
            for left in Path("/dev/shm").glob(f"statuslog-{name}-{killed.pid}.*"):  # by whoever had no time to
                shutil.rmtree(left)

    def pause(self, name: str) -> None:
        """Let the service hang: its port accepts, and nothing answers, until `resume`."""
        self._signal(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        self._signal(name, signal.SIGCONT)

    def pid(self, name: str) -> int:
        """The process id of the service's gunicorn."""
        return self._processes[name].pid

    def output(self, name: str) -> str:
        """Everything that the service has logged."""
        return self._log(name).read_text(errors="replace")

    def readiness(self, name: str) -> dict[str, Any]:
        """What the service answers to GET /readyz, or nothing when it gives no answer."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.ports[name], timeout=5)) as connection:
            try:
                connection.request("GET", "/readyz")
                answer: dict[str, Any] = json.loads(connection.getresponse().read())
            except (OSError, http.client.HTTPException):
                return {}
        return answer

    def integrity(self) -> str:
        """What the engine says of storage's database; "ok" when it is whole."""
        if postgres.server:
            return postgres.server.damage(self._database["DATABASE_URL"]) or "ok"
        with closing(sqlite3.connect(self.data_dir / "storage" / "db.sqlite3")) as database:
            return str(database.execute("PRAGMA integrity_check").fetchone()[0])

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _signal(self, name: str, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # it may have ended by itself
            os.killpg(self._processes[name].pid, number)

    def _wait(self, name: str, path: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.ports[name], path):
            ended = self._processes[name].poll() is not None
            if ended or time.monotonic() > deadline:
                state = "ended" if ended else f"does not answer {path} with 200"
                raise RuntimeError(f"{name} {state}:\n{self.output(name)}")
            time.sleep(0.05)


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[Services]:
    """All three services, started and ready; stopped at the end, whatever happens in between."""
    services = Services(folder, **settings)
    try:
        services.start()
        yield services
    finally:
        services.stop()
