"""manage_all.sh as a user calls it, on ports and data of the test's own."""

import os
import subprocess
from pathlib import Path

from tests.processes import ROOT, clean_environment, free_ports

SCRIPT = ROOT / "manage_all.sh"
SECONDS = 90


class LocalSystem:
    """What `manage_all.sh run` starts, with data and vstorage in `folder`; a relative path there shows that
    the folder it is called from does not matter."""

    def __init__(self, folder: Path, script: Path = SCRIPT, **settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.script = script
        self.data_dir = folder / "data"
        self.vstorage = folder / "vstorage"
        ports = free_ports(5)
        self.public_port, self.admin_port, self.service2_port, self.storage_port, self.metrics_port = ports
        self.public, self.admin = (f"http://127.0.0.1:{port}" for port in (self.public_port, self.admin_port))
        self.environment = {
            **clean_environment(),
            "SERVICE1_PORT": str(self.public_port),
            "ADMIN_PORT": str(self.admin_port),
            "SERVICE2_PORT": str(self.service2_port),
            "STORAGE_PORT": str(self.storage_port),
            "METRICS_PORT": str(self.metrics_port),
            "DATA_DIR": "data",
            "VSTORAGE_PATH": "vstorage",
            **settings,
        }

    def __call__(
        self, *arguments: str, stdin: str | None = None, **settings: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run the command to its end; `stdin` is never a terminal."""
        return subprocess.run(
            [self.script, *arguments],
            cwd=self.folder,
            env=self.environment | settings,
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def popen(self, *arguments: str, **settings: str) -> "subprocess.Popen[str]":
        """Start the command in a process group of its own, as a shell with a terminal does."""
        return subprocess.Popen(
            [self.script, *arguments],
            cwd=self.folder,
            env=self.environment | settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def start(self) -> None:
        done = self("run", "--detach")
        assert done.returncode == 0, done.stdout + done.stderr

    def stop(self) -> None:
        done = self("run", "--stop")
        assert done.returncode == 0, done.stdout + done.stderr

    def pid(self, service: str) -> int:
        return int((self.data_dir / "run" / f"{service}.pid").read_text())

    def processes(self) -> list[int]:
        """The processes that work on this data now, whatever started them."""
        own = f"DATA_DIR={self.data_dir.resolve()}".encode()
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and own in environ(entry)]


def environ(process: Path) -> list[bytes]:
    try:
        return (process / "environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or is another user's
        return []


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
