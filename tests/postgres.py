"""A PostgreSQL server of the tests' own: its data in a temporary folder, its socket there too, gone at the end."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

REMEDY = "no PostgreSQL server is here; install one (Debian: apt-get install postgresql)"


def find_server() -> Path | None:
    """The folder of the server's programs; Debian keeps them off the PATH."""
    if found := shutil.which("pg_ctl"):
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    return versions[-1].parent if versions else None


class PostgresServer:
    """Runs on a port of 127.0.0.1, without passwords, with the defaults of a server in use: it syncs to the disk."""

    def __init__(self, programs: Path, port: int) -> None:
        self._programs = programs
        self._port = port
        # It refuses to run as root; whoever else runs the tests runs it too.
        self._user = None if os.getuid() else pwd.getpwnam("nobody")
        self._folder = Path(tempfile.mkdtemp(prefix="statuslog-postgres-"))
        self._data = self._folder / "data"
        if self._user:
            os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        self._run("initdb", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--username=statuslog", "--no-sync")

    def url(self, name: str) -> str:
        """DATABASE_URL of the database of that name."""
        return f"postgres://statuslog@127.0.0.1:{self._port}/{quote(name)}"

    def new_database(self) -> str:
        """DATABASE_URL of an empty database that nobody else uses."""
        name = f"statuslog_{secrets.token_hex(4)}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def sql(self, statement: str, url: str = "") -> str:
        """What psql prints, asked in the database of that DATABASE_URL."""
        where = url or self.url("postgres")
        command = [str(self._programs / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, where]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def damage(self, url: str) -> str:
        """What pg_amcheck finds wrong with the tables and the indexes of a database."""
        where = ["--host=127.0.0.1", f"--port={self._port}", "--username=statuslog", url.rpartition("/")[2]]
        command = [str(self._programs / "pg_amcheck"), "--install-missing", "--heapallindexed", *where]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.stdout + done.stderr

    def start(self) -> None:
        """Start, or start again, and return when it answers."""
        options = f"-c listen_addresses=127.0.0.1 -c port={self._port} -c unix_socket_directories={self._folder}"
        # No test cuts the machine's power, and what a killed server has written to the kernel stays.
        options += " -c fsync=off"
        options += " -c recovery_init_sync_method=syncfs"  # after a crash it would sync each file of each database
        self._run("pg_ctl", "start", "--wait", "--silent", f"--log={self._folder}/log", f"--options={options}")

    def stop(self, mode: str = "fast") -> None:
        """`fast` cuts all connections off; `immediate` is a crash."""
        self._run("pg_ctl", "stop", "--wait", "--silent", f"--mode={mode}")

    def is_running(self) -> bool:
        return (self._data / "postmaster.pid").exists()

    def remove(self) -> None:
        """End it, if it runs, and forget its data."""
        if self.is_running():
            self.stop("immediate")
        shutil.rmtree(self._folder)

    def _run(self, program: str, *arguments: str) -> None:
        user: dict[str, Any] = (
            {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []} if self._user else {}
        )
        done = subprocess.run(
            [self._programs / program, f"--pgdata={self._data}", *arguments],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # pg_ctl's server inherits it: a pipe would never end
            stderr=(self._folder / "errors").open("w"),
            **user,
        )
        assert done.returncode == 0, (self._folder / "errors").read_text()


server: PostgresServer | None = None  # of a run of pytest with --postgres (tests/environment.py)
