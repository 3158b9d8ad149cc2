"""A signal ends a command with one line that says how things are, and leaves nothing behind."""

import fcntl
import os
import pty
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.live.test_pairs import lines, log
from tests.manage_all import LocalSystem

pytestmark = [pytest.mark.live, pytest.mark.sqlite, pytest.mark.timeout(120)]

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
SECONDS = 30.0


@pytest.fixture(autouse=True)
def nothing_is_left(running: LocalSystem) -> Iterator[None]:
    yield
    until(lambda: running.vstorage.read_text().splitlines() == log(running))
    assert not list((running.data_dir / "storage").glob("*.part*"))
    assert not list(running.folder.glob("*.??????"))  # of the script's own half copies


@pytest.fixture(params=CODES, ids=lambda number: number.name)
def number(request: pytest.FixtureRequest) -> signal.Signals:
    return signal.Signals(request.param)


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def said(process: "subprocess.Popen[str]", number: signal.Signals) -> str:
    """What the command prints when the signal has come to all its processes, as from a terminal."""
    os.killpg(process.pid, number)
    out, errors = process.communicate(timeout=SECONDS)
    assert process.returncode in (CODES[number], -number), out + errors
    assert "Traceback" not in errors
    return out + errors


def test_an_import_says_what_is_stored(running: LocalSystem, number: signal.Signals):
    day = 1000 + number  # of its own for each signal
    process = subprocess.Popen(
        [running.script, "import", "--local", "-"],
        cwd=running.folder,
        env=running.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdin
    process.stdin.write("".join(f"{line}\n" for line in lines(day, 20_000)))
    process.stdin.flush()
    first = lines(day, 1)[0]
    until(lambda: first in log(running))
    assert "What is stored stays: import the same file again to go on." in said(process, number)
    assert first in log(running)


def test_a_prune_says_that_the_records_are_gone(running: LocalSystem, number: signal.Signals):
    file = running.folder / "older"
    file.write_text("".join(f"{line}\n" for line in lines(1100 + number, 60_000)))
    assert running("import", "--local", str(file)).returncode == 0
    process = running.popen("prune", "--local", "--yes", "--older-than", "52w")
    until(lambda: len(log(running)) < 10_000)
    assert "the records are out of the log, vstorage follows" in said(process, number) or process.returncode
    assert len(log(running)) < 10_000


def test_a_restore_that_waits_for_its_answer(running: LocalSystem, number: signal.Signals):
    requests.get(f"{running.public}/status", timeout=10)
    assert running("backup", "--local", "--force", "a").returncode == 0
    before = log(running)
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        [running.script, "restore", "--local", str(running.folder / "a")],
        cwd=running.folder,
        env=running.environment,
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    os.close(terminal)
    until(lambda: (running.data_dir / "storage" / "restore.part").exists())
    assert process.stdout
    assert process.stdout.readline().startswith("the backup has ")
    assert "nothing was restored" in said(process, number)
    os.close(master)
    assert log(running) == before


def test_a_backup_leaves_no_half_copy(running: LocalSystem, number: signal.Signals):
    held = (running.data_dir / "storage" / "backup.lock").open("a")
    fcntl.flock(held, fcntl.LOCK_EX)  # another backup, for which it waits
    process = running.popen("backup", "--local", "stopped")
    until(lambda: waits(running.data_dir / "storage" / "backup.lock", process))
    assert "no backup was made" in said(process, number)
    held.close()
    assert not (running.folder / "stopped").exists()


def waits(file: Path, process: "subprocess.Popen[str]") -> bool:
    """Whether a process of that session has the file open."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getsid(int(entry.name)) == process.pid and str(file) in {
                    str(link.readlink()) for link in (entry / "fd").iterdir()
                }:
                    return True
            except OSError:
                continue
    return False


@pytest.mark.parametrize("arguments", [(), ("--repair",)], ids=["verify", "repair"])
def test_a_verify_says_that_nothing_is_changed(
    running: LocalSystem, number: signal.Signals, arguments: tuple[str, ...]
):
    with running.vstorage.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # it waits 2 s for the lock
        process = running.popen("verify", "--local", *arguments)
        until(lambda: waits(running.vstorage, process))
        assert re.fullmatch(r"stopped: both stores are as they were\n", said(process, number))
