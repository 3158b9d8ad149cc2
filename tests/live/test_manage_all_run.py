"""`manage_all.sh run`: the system without Docker."""

import errno
import json
import os
import re
import runpy
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.manage_all import SECONDS, LocalSystem
from tests.processes import ROOT, free_ports
from tests.required import leave_out

pytestmark = pytest.mark.live

LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ: uptime \d+\.\d{3} hours, free disk in root: \d+\.\d{2} MBytes$")


@pytest.fixture
def system(tmp_path: Path) -> Iterator[LocalSystem]:
    """Not yet running; stopped at the end."""
    system = LocalSystem(tmp_path / "a folder")
    yield system
    system("run", "--stop")


def get(url: str) -> requests.Response:
    return requests.get(url, timeout=10)


def one_line_on_stderr(done: "subprocess.CompletedProcess[str]") -> str:
    lines = done.stderr.splitlines()
    assert done.returncode == 1, done
    assert len(lines) == 1, done
    assert lines[0].startswith("manage_all.sh: ")
    return lines[0]


def test_two_copies_side_by_side_each_with_its_data(running: LocalSystem, system: LocalSystem):
    before = get(f"{running.public}/log").content
    printed = system("run", "--detach").stdout
    assert f"{system.public}/status" in printed
    assert f"{system.admin}/admin/" in printed
    assert f"{system.data_dir}\n" in printed
    lines = get(f"{system.public}/status").text.splitlines()
    assert len(lines) == 2
    assert all(LINE.fullmatch(line) for line in lines)
    assert get(f"{system.public}/log").content == system.vstorage.read_bytes()
    assert get(f"{running.public}/log").content == before
    assert get(f"{system.admin}/admin/login/").status_code == 200

    system.stop()
    assert system.processes() == []
    assert get(f"{running.public}/healthz").status_code == 200

    system.start()
    assert get(f"{system.public}/log").text.splitlines() == lines


def test_only_loopback_listens(running: LocalSystem):
    listening = Path("/proc/net/tcp").read_text()
    ports = (running.public_port, running.admin_port, running.service2_port, running.storage_port)
    for port in (*ports, running.metrics_port):
        assert f" 0100007F:{port:04X} 00000000:0000 0A" in listening
        assert f" 00000000:{port:04X} 00000000:0000 0A" not in listening


@pytest.fixture
def ipv6() -> None:
    """Without an IPv6 address of its own the machine can show nothing of this."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        leave_out(f"no IPv6: {error}")


@pytest.mark.usefixtures("ipv6")
def test_every_port_answers_at_ipv6_too(running: LocalSystem):
    ports = (running.public_port, running.service2_port, running.storage_port)
    paths = [(port, "/status" if port != running.storage_port else "/log") for port in ports]
    for port, path in (*paths, (running.admin_port, "/admin/login/"), (running.metrics_port, "/metrics")):
        assert get(f"http://[::1]:{port}{path}").status_code == 200
    # To each other the addresses are the same: the port decides.
    assert get(f"http://[::1]:{running.admin_port}/log").status_code == 404
    assert get(f"http://[::1]:{running.storage_port}/admin/").status_code == 404


def test_a_second_run_on_the_same_data_is_refused(running: LocalSystem):
    assert "already runs" in one_line_on_stderr(running("run", "--detach"))
    assert get(f"{running.public}/healthz").status_code == 200


@pytest.mark.usefixtures("ipv6")
def test_a_port_that_is_taken_at_ipv6_alone(system: LocalSystem):
    with socket.create_server(("::1", system.admin_port), family=socket.AF_INET6):
        error = one_line_on_stderr(system("run", "--detach"))
    assert f"ADMIN_PORT={system.admin_port} at [::1] (Address already in use)" in error
    assert system.processes() == []


class SocketWithoutIPv6(socket.socket):
    """As on a host whose kernel has no IPv6, or has it switched off."""

    def bind(self, address: Any) -> None:
        if self.family == socket.AF_INET6:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        super().bind(address)


def test_a_host_without_ipv6_listens_at_ipv4(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(socket, "socket", SocketWithoutIPv6)
    (port,) = free_ports(1)
    main = runpy.run_path(str(ROOT / "manage" / "free_ports.py"))["main"]
    main([f"SERVICE1_PORT={port}"])
    assert capsys.readouterr().out == "127.0.0.1\n"


def test_ports_taken(running: LocalSystem, tmp_path: Path):
    other = LocalSystem(tmp_path)
    other.environment |= {name: running.environment[name] for name in ("SERVICE1_PORT", "STORAGE_PORT")}
    error = one_line_on_stderr(other("run", "--detach"))
    assert f"SERVICE1_PORT={running.public_port}" in error
    assert f"STORAGE_PORT={running.storage_port}" in error
    assert "ADMIN_PORT" not in error
    assert other.processes() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATA_DIR", "/proc/data"),
        ("DATA_DIR", "/etc/passwd/data"),
        ("VSTORAGE_PATH", "/proc/vstorage"),
        ("VSTORAGE_PATH", "/"),
        ("SERVICE1_PORT", "http"),
    ],
)
def test_a_place_that_cannot_be_used(system: LocalSystem, name: str, value: str):
    assert f"{name}={value}" in one_line_on_stderr(system("run", "--detach", **{name: value}))
    assert system.processes() == []


def test_a_setting_that_cannot_work(system: LocalSystem):
    done = system("run", "--detach", MAX_BODY_BYTES="much")
    assert done.returncode == 1
    assert "storage ended by itself" in done.stderr
    assert "MAX_BODY_BYTES='much': set it to a number of bytes" in done.stderr
    assert system.processes() == []


def wait_for(line: str, process: "subprocess.Popen[str]") -> None:
    assert process.stdout
    for printed in process.stdout:
        if printed.startswith(line):
            return
    pytest.fail(f"it ended without {line!r}: {process.communicate()}")


def test_ctrl_c_stops_all(system: LocalSystem):
    process = system.popen("run")
    wait_for("ready", process)
    assert get(f"{system.public}/status").status_code == 200
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "service1 | " in output
    assert errors == ""
    assert system.processes() == []


def events_of(system: LocalSystem, service: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (system.data_dir / "run" / f"{service}.log").read_text().splitlines()]


def is_up(url: str) -> bool:
    try:
        return get(f"{url}/readyz").status_code == 200
    except requests.ConnectionError:
        return False


def kill_and_wait(system: LocalSystem, service: str, port: int) -> None:
    """Kill the service's master, and wait until another one is ready."""
    killed = system.pid(service)
    os.kill(killed, signal.SIGKILL)
    deadline = time.monotonic() + SECONDS
    while system.pid(service) == killed or not is_up(f"http://127.0.0.1:{port}"):
        assert time.monotonic() < deadline, system("logs", "--local").stdout
        time.sleep(0.1)
    assert not list(Path("/dev/shm").glob(f"statuslog-{service}-{killed}.*"))


def test_a_service_that_dies_is_started_again(system: LocalSystem):
    system.start()
    events = [event for name in ("storage", "service2", "service1") for event in events_of(system, name)]
    assert [event for event in events if event["level"] not in ("debug", "info")] == []  # a start is no error
    for _ in range(2):
        kill_and_wait(system, "service2", system.service2_port)
    assert len(get(f"{system.public}/status").text.splitlines()) == 2
    assert [event["message"] for event in events_of(system, "service2") if event["logger"] == "manage_all.sh"] == [
        "service2 ended by itself; it is started again in 0 s",
        "service2 ended by itself; it is started again in 1 s",
    ]
    assert "already runs" in one_line_on_stderr(system("run", "--detach"))
    system.stop()
    assert system.processes() == []


def test_a_service_that_dies_under_a_run_in_the_foreground_is_started_again(system: LocalSystem):
    process = system.popen("run")
    wait_for("ready", process)
    kill_and_wait(system, "service2", system.service2_port)
    assert len(get(f"{system.public}/status").text.splitlines()) == 2
    os.kill(process.pid, signal.SIGTERM)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (143, "")
    assert "service2 ended by itself; it is started again in 0 s" in output
    assert "Booting worker" in output.partition("it is started again")[2]
    assert system.processes() == []


def test_stop_ends_a_run_in_the_foreground_too(system: LocalSystem):
    process = system.popen("run")
    wait_for("ready", process)
    system.stop()
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert output.endswith("stopped by run --stop\n")


def test_a_disk_that_is_nearly_full_is_named_and_what_can_be_read_runs(system: LocalSystem):
    done = system("run", "--detach", MIN_FREE_BYTES="100%")
    assert done.returncode == 1
    assert "running, but not ready\n" in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("manage_all.sh: not ready: storage: disk_low: ")
    assert "MIN_FREE_BYTES" in line
    assert get(f"{system.public}/log").status_code == 200
    assert get(f"{system.public}/status").headers["Record-Delivery"].startswith("storage=queued")


def test_stop_spares_a_stranger_that_was_given_a_dead_services_number(system: LocalSystem):
    system.start()
    os.kill(int((system.data_dir / "run" / "run.pid").read_text()), signal.SIGKILL)  # or it starts service2 again
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        dead = system.pid("service2")
        os.killpg(dead, signal.SIGKILL)
        (system.data_dir / "run" / "service2.pid").write_text(f"{stranger.pid}\n")
        system.stop()
        assert stranger.poll() is None
        stranger.kill()
    assert system.processes() == []
    for left in Path("/dev/shm").glob(f"statuslog-service2-{dead}.*"):  # whose number nobody knows any more
        shutil.rmtree(left)


def test_stop_when_nothing_runs(system: LocalSystem):
    done = system("run", "--stop")
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing runs" in done.stdout
