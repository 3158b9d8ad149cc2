"""The engine that these tests need, and one running stack that they share."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docker.stack import PYTHON_IMAGE, Stack, copy_source, give_to
from tests.required import leave_out

REMEDY = 'get one with: eval "$(.ci/engine)"'


def succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True).returncode == 0


def what_is_missing() -> str | None:
    if not shutil.which("docker") or not succeeds("docker", "info"):
        return "no Docker engine answers"
    if not succeeds("docker", "compose", "version"):
        return "docker has no compose plugin"
    if not succeeds("docker", "image", "inspect", PYTHON_IMAGE) and not succeeds("docker", "pull", PYTHON_IMAGE):
        return f"there is no image {PYTHON_IMAGE}"
    return None


@pytest.fixture(scope="session")
def engine() -> None:
    """Without an engine the test is skipped, or fails where all tests are required."""
    if missing := what_is_missing():
        leave_out(f"{missing}; {REMEDY}")


@contextmanager
def clone() -> Iterator[Path]:
    """A fresh clone, in a folder that its owner can reach whoever that is (pytest's own are root's)."""
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        folder = Path(parent) / "statuslog"
        folder.mkdir()
        copy_source(folder)
        yield folder


@pytest.fixture(params=[0, 1000, 1234], ids="owner-{}".format)
def owned_stack(request: pytest.FixtureRequest, engine: None) -> Iterator[Stack]:
    """A stack, not yet up, on a clone that belongs to this user and that nobody else may read."""
    owner: int = request.param
    if os.getuid() not in (0, owner):
        pytest.skip(f"only root can make a clone owned by {owner}")
    with clone() as folder:
        give_to(folder, owner)
        stack = Stack(folder)
        try:
            yield stack
        finally:
            stack.remove()


@pytest.fixture(scope="session")
def canary() -> str:
    """A secret that is set in every place it may be set in, and must be in no image."""
    return "canary-4c1f0e0a7d"


@pytest.fixture(scope="session")
def stack(engine: None, canary: str) -> Iterator[Stack]:
    """A running stack. A test that breaks it mends it."""
    with clone() as folder:
        (folder / ".env").write_text(f"DJANGO_SUPERUSER_PASSWORD={canary}\nDJANGO_SUPERUSER_USERNAME=admin\n")
        (folder / "data" / "storage").mkdir(parents=True)
        (folder / "data" / "storage" / "secret_key").write_text(canary)
        (folder / "vstorage").write_text("")
        running = Stack(folder, DJANGO_SECRET_KEY=canary)
        try:
            running.up()
            yield running
        finally:
            running.remove()
