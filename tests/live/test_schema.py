"""The documents are true: schemathesis asks the live services what they allow, and what they do not."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import ROOT, Services, clean_environment, running

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

# The one check that is left out is the one that wants no 5xx.
FAILING = ("--phases", "coverage", "--exclude-checks", "not_a_server_error")
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory, static_root: Path) -> Iterator[Services]:
    with running(tmp_path_factory.mktemp("schema"), STATIC_ROOT=str(static_root)) as services:
        yield services


def asked(services: Services, name: str, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The same requests in every run: the seed is fixed."""
    return subprocess.run(
        [
            *(SCHEMATHESIS, "--config-file", Path(__file__).with_name("schemathesis.toml")),
            *("run", f"{getattr(services, name)}/schema"),
            *("--checks", "all", "--continue-on-failure", "--generation-deterministic", "--no-color"),
            *("--request-timeout", "10", *arguments),
        ],
        cwd=folder,  # where it keeps what it has found
        env={**clean_environment(), "SCHEMATHESIS_HOOKS": "tests.live.relations", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.mark.parametrize(("name", "examples"), [("service1", 30), ("service2", 10), ("storage", 100)])
def test_every_answer_is_as_described(services: Services, name: str, examples: int, tmp_path: Path):
    done = asked(services, name, tmp_path, "--max-examples", str(examples))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in services.output(name)


def test_every_failure_is_as_described(services: Services, tmp_path: Path):
    """What service1 answers when it is alone."""
    services.stop("storage", "service2")
    try:
        done = asked(services, "service1", tmp_path, *FAILING)
    finally:
        services.start("storage", "service2")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_refusal_for_want_of_room_is_as_described(tmp_path: Path):
    services = Services(tmp_path / "full", MIN_FREE_BYTES=str(2**62))
    try:
        services.start("storage", until="/healthz")
        done = asked(services, "storage", tmp_path, *FAILING)
    finally:
        services.stop()
    assert done.returncode == 0, done.stdout + done.stderr
