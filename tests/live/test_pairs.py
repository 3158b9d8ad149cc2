"""Each pair of the commands that change data, started at once beside requests: each does what it says, or refuses."""

import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations_with_replacement, count
from pathlib import Path

import pytest
import requests

from tests.live.oracle import load
from tests.manage_all import LocalSystem

pytestmark = [pytest.mark.live, pytest.mark.sqlite, pytest.mark.timeout(120)]

COMMANDS = ("import", "prune", "restore", "reset", "backup", "verify")
LINES = 12_000  # of an import: three transactions
REFUSAL = re.compile(r"another (command|backup) is under way.*; wait for its end, and try again")
FOLLOWED_SECONDS = 20.0

_numbers = count(1)


@dataclass
class Started:
    """A command under way; `marks` are lines that the log has because of it."""

    name: str
    process: "subprocess.Popen[str]"
    marks: list[str]
    file: Path | None = None
    code: int = -1
    said: str = ""

    def end(self) -> None:
        out, errors = self.process.communicate(timeout=90)
        self.code, self.said = self.process.returncode, out + errors

    @property
    def is_refused(self) -> bool:
        return self.code == 1 and bool(REFUSAL.search(self.said))


def lines(number: int, count: int) -> list[str]:
    """Lines of the past that no other call gives."""
    first = datetime(2020, 1, 1, tzinfo=UTC) + number * timedelta(days=1)
    return [
        f"{first + timedelta(seconds=second):%Y-%m-%dT%H:%M:%SZ}: "
        f"uptime {number}.000 hours, free disk in root: 1.00 MBytes"
        for second in range(count)
    ]


def start(system: LocalSystem, name: str, backups: Iterator[tuple[str, str]]) -> Started:
    number = next(_numbers)
    if name == "import":
        file = system.folder / f"older-{number}"
        file.write_text("".join(f"{line}\n" for line in lines(number, LINES)))
        return Started(name, system.popen("import", "--local", str(file)), lines(number, LINES))
    if name == "restore":
        backup, mark = next(backups)
        return Started(name, system.popen("restore", "--local", "--yes", backup), [mark])
    if name == "backup":
        file = system.folder / f"backup-{number}"
        return Started(name, system.popen("backup", "--local", str(file)), [], file)
    arguments = {
        "prune": ("prune", "--local", "--yes", "--keep-last", "5"),
        "reset": ("reset", "--local", "--yes"),
        "verify": ("verify", "--local", "--repair"),
    }[name]
    return Started(name, system.popen(*arguments), [])


@pytest.fixture(scope="module")
def backups(running: LocalSystem) -> list[tuple[str, str]]:
    """Two backups, each with a record that the other has not, and that no prune of these tests removes."""
    found = []
    for name in ("first", "second"):
        mark = f"the record of the {name} backup"
        assert running("reset", "--local", "--yes").returncode == 0
        url = f"http://127.0.0.1:{running.storage_port}/log"
        assert requests.post(url, data=mark, headers={"Content-Type": "text/plain"}, timeout=10).status_code == 201
        assert running("backup", "--local", name).returncode == 0
        found.append((str(running.folder / name), mark))
    return found


def log(system: LocalSystem) -> list[str]:
    return requests.get(f"{system.public}/log", timeout=10).text.splitlines()


@pytest.mark.parametrize("names", list(combinations_with_replacement(COMMANDS, 2)), ids=" and ".join)
def test_a_pair(running: LocalSystem, backups: list[tuple[str, str]], names: tuple[str, str]):
    given = iter(backups)
    with load(running, 2):
        pair = [start(running, name, given) for name in names]
        for one in pair:
            one.end()
    for one in pair:
        assert one.code == 0 or one.is_refused, (one.name, one.code, one.said)
        assert "Traceback" not in one.said
    done = [one for one in pair if one.code == 0]
    assert done, [one.said for one in pair]
    until = time.monotonic() + FOLLOWED_SECONDS
    while running.vstorage.read_text().splitlines() != log(running):
        assert time.monotonic() < until
        time.sleep(0.1)
    now = set(log(running))
    for one in pair:
        there = sum(mark in now for mark in one.marks)
        if one.code:
            assert there == 0, one.said  # it says that it has changed nothing
        elif {other.name for other in pair if other is not one and other.code == 0} <= {"backup", "verify", "import"}:
            assert there == len(one.marks), one.said
        elif "prune" not in names:
            assert there in (0, len(one.marks)), one.said
        if one.file:
            assert one.file.exists() is (one.code == 0)
    if names == ("restore", "restore"):
        assert sum(mark in now for one in done for mark in one.marks) == 1
    assert running("verify", "--local").returncode == 0
