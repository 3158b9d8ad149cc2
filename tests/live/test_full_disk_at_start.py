"""The disk of the data is full when storage starts: it starts all the same, shows the log, and takes nothing."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.processes import Services
from tests.required import leave_out

pytestmark = [pytest.mark.live, pytest.mark.sqlite]


@pytest.fixture
def small(tmp_path: Path, static_root: Path) -> Iterator[Services]:
    """A storage whose data is on a disk of 32 MiB; it does not run yet."""
    services = Services(tmp_path, STATIC_ROOT=str(static_root))
    folder = services.data_dir / "storage"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        leave_out("mounting a small disk needs root")
    try:
        yield services
    finally:
        services.stop()
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("ended", ["stop", "kill"])
def test_it_starts_and_reads_and_answers_507(small: Services, ended: str):
    small.start("storage")
    assert post(small, "a").status_code == 201
    getattr(small, ended)("storage")
    filling = small.data_dir / "storage" / "filling"
    with pytest.raises(OSError, match="No space left"), filling.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    small.start("storage", until="/healthz")
    assert requests.get(f"{small.storage}/log", timeout=5).text == "a\n"
    ready = requests.get(f"{small.storage}/readyz", timeout=5)
    assert (ready.status_code, ready.json()["reasons"]) == (503, ["disk_low"])
    assert post(small, "b").status_code == 507
    filling.unlink()
    assert post(small, "b").status_code == 201
    assert requests.get(f"{small.storage}/log", timeout=5).text == "a\nb\n"


def post(services: Services, line: str) -> requests.Response:
    return requests.post(f"{services.storage}/log", data=line, headers={"Content-Type": "text/plain"}, timeout=5)
