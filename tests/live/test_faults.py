"""Faults under load, injected for real: processes killed and stopped, disks full, files away. The oracle judges."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from statuslog.env import ROOT
from tests.live.oracle import check, load, wait_until_healed
from tests.processes import Services, running
from tests.thorough import times

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

CLIENTS = 16


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with running(tmp_path) as services:
        yield services


def workers(services: Services, name: str) -> list[int]:
    """The processes that gunicorn has forked for the service."""
    pid = services.pid(name)
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kill_workers(services: Services, name: str) -> None:
    for pid in workers(services, name):
        os.kill(pid, signal.SIGKILL)


def verify(services: Services, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "service1/manage.py", "verify", *arguments],
        cwd=ROOT,
        env=services.environment("service1"),
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("name", ["service1", "service2", "storage"])
def test_a_worker_is_killed_again_and_again(services: Services, name: str):
    with load(services, CLIENTS) as seen:
        for _ in range(times(5, 20)):
            time.sleep(0.7)
            kill_workers(services, name)
        time.sleep(2)
    assert check(services, seen) > 100
    assert verify(services).stdout.startswith("equal, ")


@pytest.mark.parametrize("name", ["service1", "service2"])
def test_one_of_two_workers_is_killed_again_and_again(tmp_path: Path, name: str):
    with running(tmp_path, WEB_CONCURRENCY="2") as services:
        with load(services, CLIENTS) as seen:
            for _ in range(times(5, 20)):
                time.sleep(0.7)
                os.kill(workers(services, name)[0], signal.SIGKILL)
            time.sleep(1)
        assert check(services, seen) > 100


def test_storage_hangs_and_comes_back(services: Services):
    with load(services, CLIENTS) as seen:
        time.sleep(0.5)
        services.pause("storage")
        time.sleep(8)
        services.resume("storage")
        time.sleep(1)
    check(services, seen)
    assert seen.share_of_200 >= 0.95
    assert seen.deliveries["storage=queued, vstorage=written"] > 100


def test_an_outage_of_storage_with_restarts_of_the_services(services: Services):
    waiting = times(500, 5_000)  # on each side of the restarts
    with load(services, 4) as before:
        time.sleep(0.5)
    services.kill("storage")
    with load(services, CLIENTS) as seen:
        wait_for(lambda: len(seen.acknowledged) >= waiting)
    services.stop("service1")
    services.kill("service2")
    services.start("service1", "service2", until="/healthz")
    with load(services, CLIENTS) as after:
        wait_for(lambda: len(after.acknowledged) >= waiting)
    services.start("storage")
    returned = time.monotonic()
    wait_until_healed(services)
    assert time.monotonic() - returned < 10
    assert seen.share_of_200 == after.share_of_200 == 1
    seen.acknowledged += before.acknowledged + after.acknowledged
    check(services, seen)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Clocked(Services):
    """Services whose recorders have a clock of their own, which is right until it is `moved`."""

    def move_clock(self, seconds: int) -> None:
        new = self._folder / "clock.new"
        new.write_text(str(seconds))
        new.rename(self._folder / "clock")

    def command(self, name: str) -> list[str]:
        if name == "storage":
            return super().command(name)
        gunicorn = f"gunicorn --config {ROOT}/statuslog/gunicorn_conf.py tests.live.set_back"
        return ["sh", "-c", f"cd {ROOT}/{name} && python manage.py prepare && exec {gunicorn}"]

    def environment(self, name: str) -> dict[str, str]:
        clock = {"CLOCKED": name, "CLOCK": str(self._folder / "clock"), "PYTHONPATH": f"{ROOT}:{ROOT / name}"}
        # gunicorn loads the worker before the application, and it reads the settings (serve.py has set it).
        return super().environment(name) | clock | {"DJANGO_SETTINGS_MODULE": f"{name}.settings"}


def test_the_clock_is_set_back_an_hour(tmp_path: Path):
    services = Clocked(tmp_path)
    services.move_clock(0)
    try:
        services.start()
        with load(services, CLIENTS) as seen:
            time.sleep(1)
            services.move_clock(-3600)
            time.sleep(2)
        check(services, seen)
        assert seen.share_of_200 == 1
    finally:
        services.stop()


def test_vstorage_goes_away_and_comes_back(services: Services):
    with load(services, CLIENTS) as seen:
        time.sleep(0.5)
        away = services.vstorage.rename(services.vstorage.with_name("away"))
        time.sleep(2)
        away.rename(services.vstorage)
        time.sleep(2)
    check(services, seen, unlocked=True)
    assert seen.share_of_200 == 1
    assert seen.deliveries["storage=stored, vstorage=failed"] > 10


def test_vstorage_is_full_and_is_freed(services: Services):
    # For a process and its children, and whoever runs the tests: a file that may not grow is a full disk.
    room = 4096
    with load(services, CLIENTS) as seen:
        time.sleep(0.5)
        for name in ("service1", "service2"):
            limit_file_size(services, name, services.vstorage.stat().st_size + room)
        time.sleep(2)
        for name in ("service1", "service2"):
            limit_file_size(services, name, -1)
        time.sleep(2)
    check(services, seen)
    assert seen.share_of_200 == 1
    assert seen.deliveries["storage=stored, vstorage=failed"] > 10


def limit_file_size(services: Services, name: str, size: int) -> None:
    for pid in workers(services, name):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_storage_and_a_service_fail_together(services: Services):
    with load(services, CLIENTS) as seen:
        for _ in range(3):
            time.sleep(0.5)
            services.pause("storage")
            time.sleep(0.3)
            kill_workers(services, "service1")
            time.sleep(0.7)
            kill_workers(services, "service2")
            time.sleep(0.5)
            services.resume("storage")
        time.sleep(1)
    check(services, seen)


def test_the_outbox_has_an_end(tmp_path: Path):
    with running(tmp_path, OUTBOX_MAX_RECORDS="20") as services:
        services.kill("storage")
        with load(services, 4) as seen:
            time.sleep(2)
        assert seen.codes[503] > 0
        assert len([record for record in seen.acknowledged if record["service"] == "service1"]) == 20
        services.start("storage")
        assert check(services, seen) == len(seen.acknowledged)


def test_a_crash_of_the_host_tears_the_file(services: Services):
    with load(services, 4) as seen:
        time.sleep(1)
    wait_until_healed(services)
    whole = services.vstorage.read_bytes()
    with services.vstorage.open("r+b") as file:
        file.truncate(len(whole) - 100)
    with load(services, 4) as after:
        time.sleep(1)
    seen.acknowledged += after.acknowledged
    check(services, seen)
    assert services.vstorage.read_bytes().startswith(whole)


def test_verify_finds_the_line_and_repair_mends_it_under_load(services: Services):
    with load(services, 4) as seen:
        time.sleep(2)
        lines = services.vstorage.read_text().splitlines(keepends=True)
        with services.vstorage.open("r+b") as file:  # somebody edits line 11 in place
            file.seek(len("".join(lines[:10])) + 21)
            file.write(b"UPTIME")
        found = verify(services)
        assert found.returncode == 1
        assert "line 11 differs" in found.stderr
        repaired = verify(services, "--repair")
        assert (repaired.returncode, repaired.stderr) == (0, "")
        assert "equal, " in repaired.stdout
    check(services, seen)


def test_verify_says_what_was_posted_past_the_services(services: Services):
    with load(services, 1) as seen:
        time.sleep(0.3)
    text = {"Content-Type": "text/plain"}
    assert requests.post(f"{services.storage}/log", "somebody was here", headers=text, timeout=5).status_code == 201
    with load(services, 1):
        time.sleep(0.3)
    wait_until_healed(services)
    found = verify(services)
    assert found.returncode == 1
    assert f"line {len(seen.acknowledged) + 1:,} differs" in found.stderr
    assert "somebody has posted it to storage past the services" in found.stderr


def test_verify_does_not_call_equal_what_waits(services: Services):
    services.kill("storage")
    with load(services, 1):
        time.sleep(0.3)
    found = verify(services)
    assert found.returncode == 1
    assert "records wait in the outbox of service1 and service2" in found.stderr


def test_a_restart_cuts_no_answer_off(services: Services):
    with load(services, 8) as seen:
        for name in ("storage", "service2", "storage", "service2"):
            time.sleep(0.5)
            services.stop(name)
            services.start(name)
    check(services, seen)
    assert set(seen.codes) <= {200, 502}
    assert seen.share_of_200 > 0.5
