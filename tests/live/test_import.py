"""`manage_all.sh import`: an older log comes into both stores, whatever goes on beside it and whatever is killed."""

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from tests.manage_all import LocalSystem
from tests.processes import ROOT

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

CHUNK = 5000  # storage/logs/importing.py
START = datetime(2025, 9, 26, 16, 45, 6, tzinfo=UTC)


def old_lines(count: int) -> list[str]:
    """Lines as an older system has written them: three a second, some of them equal."""
    return [
        f"{START + timedelta(seconds=number // 3):%FT%T}Z: uptime 8.907 hours, "
        f"free disk in root: {36207.74 - number % 2:.2f} MBytes\n"
        for number in range(count)
    ]


@pytest.fixture
def system(tmp_path: Path) -> Iterator[LocalSystem]:
    system = LocalSystem(tmp_path)
    system.start()
    yield system
    system.stop()


def status(system: LocalSystem, calls: int = 1) -> None:
    for _ in range(calls):
        assert requests.get(f"{system.public}/status", timeout=10).status_code == 200


def log(system: LocalSystem, query: str = "") -> str:
    return requests.get(f"{system.public}/log{query}", timeout=60).text


def assert_both_stores_hold(system: LocalSystem, lines: list[str]) -> None:
    """These, besides what the services have written themselves."""
    both = log(system).splitlines(keepends=True)
    assert system.vstorage.read_text().splitlines(keepends=True) == both
    assert both == sorted(both, key=lambda line: line[:19])
    assert Counter(line for line in both if line[:4] == "2025") == Counter(lines)


def test_an_older_log_comes_before_what_is_there_and_only_once(system: LocalSystem):
    status(system)
    own = system.vstorage.read_text()
    lines = old_lines(CHUNK + 7)
    (system.folder / "older").write_text("".join(lines))
    done = system("import", "--local", "older")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"stored {len(lines):,}, known already 0, rejected 0\n")
    assert done.stdout.endswith(f"equal, {len(lines) + 2:,} records\n")
    assert log(system) == "".join(lines) + own == system.vstorage.read_text()

    again = system("import", "--local", "-", stdin="".join(lines))
    assert again.stdout == f"stored 0, known already {len(lines):,}, rejected 0\nequal, {len(lines) + 2:,} records\n"
    itself = system("import", "--local", "vstorage")
    assert (
        itself.stdout == f"stored 0, known already {len(lines) + 2:,}, rejected 0\nequal, {len(lines) + 2:,} records\n"
    )
    status(system)
    assert system.vstorage.read_text() == log(system)


def test_lines_that_are_newer_than_the_newest_record(system: LocalSystem):
    status(system)
    time.sleep(1.1)  # of the clock: the time has to have come
    line = f"{datetime.now(UTC):%FT%T}Z: uptime 8.907 hours, free disk in root: 1.00 MBytes\n"
    done = system("import", "--local", "-", stdin=line)
    assert (done.returncode, done.stderr) == (0, "")
    assert system.vstorage.read_text() == log(system)
    assert log(system).endswith(line)
    status(system)
    assert system.vstorage.read_text() == log(system)


def test_other_lines_are_named_and_left_out(system: LocalSystem):
    (line,) = old_lines(1)
    done = system("import", "--local", "-", stdin=f"{line}----\n{line.replace('2025', '2099')}")
    assert done.returncode == 1
    assert "stored 1, known already 0, rejected 2\n" in done.stdout
    assert "line 2: it has no time with its zone, such as 2025-09-26T16:45:06Z: ----\n" in done.stderr
    assert "2025-09-26T16:45:06Z: uptime 8.907 hours, free disk in root: 36207.74 MBytes" in done.stderr
    assert "line 3: its time 2099-" in done.stderr
    assert_both_stores_hold(system, [line])
    status(system)
    assert "2099" not in log(system)


def test_logs_of_other_programs(system: LocalSystem):
    """Each file comes into both stores, as a dry run said before, and once."""
    status(system)
    stored = 1 + 1
    for name, count, code in (("a", 6, 0), ("b", 5, 0), ("c", 3, 1)):
        file = ROOT / f"tests/storage/lines-{name}.txt"
        said = system("import", "--local", "--dry-run", str(file))
        assert (said.returncode, len(log(system).splitlines())) == (code, stored)
        done = system("import", "--local", str(file))
        assert done.returncode == code
        assert said.stdout == f"would have {done.stdout.splitlines()[0]}\n"
        stored += count
        assert done.stdout.startswith(f"stored {count}, known already 0, rejected {2 * code}\n")
        assert done.stdout.endswith(f"equal, {stored} records\n")
        assert system.vstorage.read_text() == log(system)
        lines = [line for line in file.read_text().splitlines() if line and (code == 0 or "-09-" in line)]
        assert not Counter(lines) - Counter(log(system).splitlines())
        again = system("import", "--local", str(file))
        assert again.stdout.startswith(f"stored 0, known already {count}, rejected {2 * code}\n")
    status(system)
    assert system.vstorage.read_text() == log(system)


def test_a_file_that_is_no_log(system: LocalSystem):
    done = system("import", "--local", "-", stdin="no log\n" * 100)
    assert done.returncode == 1
    assert "none of the first 100 lines is a record; nothing was stored" in done.stderr
    assert log(system) == ""


@pytest.mark.parametrize("arguments", [[], ["one", "two"], ["--dry-run"]])
def test_it_takes_one_file(system: LocalSystem, arguments: list[str]):
    done = system("import", "--local", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "one FILE" in done.stderr


def test_a_file_that_is_not_there(system: LocalSystem):
    done = system("import", "--local", "nowhere")
    assert done.returncode == 1
    assert f"cannot read {system.folder}/nowhere; nothing was imported" in done.stderr


def test_before_the_first_start(tmp_path: Path):
    system = LocalSystem(tmp_path)
    lines = old_lines(10)
    done = system("import", "--local", "-", stdin="".join(lines))
    assert (done.returncode, done.stderr) == (0, "")
    assert "vstorage follows when the services run" in done.stdout
    system.start()
    try:
        status(system)
        assert system("verify", "--local").stdout.endswith("equal, 12 records\n")
        assert_both_stores_hold(system, lines)
    finally:
        system.stop()


def test_a_log_moves_to_another_database_without_loss(system: LocalSystem, tmp_path: Path):
    system("import", "--local", "-", stdin="".join(old_lines(20)))
    status(system, 5)
    other = LocalSystem(tmp_path / "other")
    other.start()
    try:
        done = other("import", "--local", "-", stdin=log(system, "?format=ndjson"))
        assert done.returncode == 0, done.stderr
        assert log(other, "?format=ndjson") == log(system, "?format=ndjson")
        assert other.vstorage.read_bytes() == system.vstorage.read_bytes()
    finally:
        other.stop()


class Import:
    """The database's part of an import that has stored the first half of `lines`, and waits for the rest."""

    def __init__(self, system: LocalSystem, lines: list[str]) -> None:
        half = len(lines) // 2
        self.process = subprocess.Popen(
            [sys.executable, "storage/manage.py", "import_log"],
            cwd=ROOT,
            env=system.environment | {"DATA_DIR": str(system.data_dir)},
            stdin=subprocess.PIPE,
        )
        assert self.process.stdin
        self.process.stdin.write("".join(lines[:half]).encode())
        self.process.stdin.flush()
        deadline = time.monotonic() + 60
        while len(log(system, "?until=2026-01-01T00:00:00Z").splitlines()) < half // CHUNK * CHUNK:
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def test_killed_in_the_middle_and_done_again(system: LocalSystem):
    status(system)
    lines = old_lines(4 * CHUNK + 10)
    Import(system, lines).kill()
    (system.folder / "older").write_text("".join(lines))
    done = system("import", "--local", "older")
    assert done.returncode == 0, done.stderr
    assert f"known already {2 * CHUNK:,}, rejected 0" in done.stdout
    assert_both_stores_hold(system, lines)


def test_killed_before_vstorage_s_part_and_repaired(system: LocalSystem):
    status(system)
    lines = old_lines(2 * CHUNK)
    Import(system, lines).kill()
    done = system("verify", "--local", "--repair")
    assert (done.returncode, done.stderr) == (0, "")
    assert_both_stores_hold(system, lines[:CHUNK])


def test_beside_writers(system: LocalSystem):
    """No request fails or waits for long, and what is written and what is imported are in both stores, in one order."""
    over = threading.Event()
    answers: list[tuple[float, int]] = []

    def write() -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not over.is_set():
                began = time.monotonic()
                code = session.get(f"{system.public}/status", timeout=10).status_code
                answers.append((time.monotonic() - began, code))

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    lines = old_lines(6 * CHUNK)
    (system.folder / "older").write_text("".join(lines))
    try:
        done = system("import", "--local", "older")
    finally:
        over.set()
        for writer in writers:
            writer.join()
    assert done.returncode == 0, done.stderr
    assert {code for _, code in answers} == {200}
    assert max(seconds for seconds, _ in answers) < 3  # the bound of every answer
    assert system("verify", "--local").returncode == 0
    assert_both_stores_hold(system, lines)
