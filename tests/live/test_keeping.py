"""manage_all.sh backup and restore, while the system runs under load."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.live.oracle import Load, load
from tests.manage_all import LocalSystem

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

WRITERS = 8
BACKUPS = 3


def log(system: LocalSystem) -> bytes:
    return requests.get(f"{system.public}/log", timeout=10).content


def call_status(system: LocalSystem, calls: int = 1) -> None:
    for _ in range(calls):
        assert requests.get(f"{system.public}/status", timeout=10).status_code == 200


def ids(database: Path) -> set[str]:
    """The records of a database that is whole."""
    with closing(sqlite3.connect(database)) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {record_id for (record_id,) in opened.execute("SELECT record_id FROM logs_logrecord")}


def acknowledged(seen: Load) -> set[str]:
    return {record["id"].replace("-", "") for record in list(seen.acknowledged)}


def done(system: LocalSystem, *arguments: str) -> str:
    """What the command prints; it must succeed."""
    finished = system(*arguments)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def refused(system: LocalSystem, *arguments: str, code: int = 1) -> str:
    finished = system(*arguments)
    assert (finished.returncode, finished.stdout) == (code, "")
    return finished.stderr


def test_each_backup_under_load_is_whole_and_has_what_was_acknowledged_before(running: LocalSystem):
    with load(running, WRITERS) as seen:
        for number in range(BACKUPS):
            before = acknowledged(seen)
            assert " records\n" in done(running, "backup", "--local", f"under-load-{number}")
            assert before <= ids(running.folder / f"under-load-{number}")
    assert set(seen.codes) == {200}
    assert not list(running.folder.glob("under-load-*.*"))  # no half copy
    assert not (running.data_dir / "storage" / "backup.part").exists()


def test_restore_under_load_fails_no_request_and_loses_nothing(running: LocalSystem):
    with load(running, WRITERS) as before:
        done(running, "backup", "--local", "--force", "a")
    inode = running.vstorage.stat().st_ino
    with load(running, WRITERS) as seen:
        printed = done(running, "restore", "--local", "--yes", "a")
    assert set(seen.codes) == {200}
    assert "equal, " in done(running, "verify", "--local")
    assert log(running) == running.vstorage.read_bytes()
    assert running.vstorage.stat().st_ino == inode
    old = Path(re.findall(r"is kept in (.+)$", printed, re.MULTILINE)[0])
    now = ids(running.data_dir / "storage" / "db.sqlite3")
    assert acknowledged(before) | acknowledged(seen) <= ids(old) | now
    assert acknowledged(seen) - ids(old)  # some came after, and are in the restored log
    assert ids(running.folder / "a") <= now


def test_a_backup_brings_back_what_a_reset_deleted(running: LocalSystem):
    call_status(running, 2)
    before = log(running)
    done(running, "backup", "--local", "--force", "a")
    assert (running.folder / "a").stat().st_mode & 0o777 == 0o600  # it has the hashes of passwords
    done(running, "reset", "--local", "--yes")
    records = before.count(b"\n")
    assert done(running, "restore", "--local", "--yes", "a").endswith(f"equal, {records:,} records\n")
    assert log(running) == before == running.vstorage.read_bytes()
    call_status(running)
    assert log(running) == running.vstorage.read_bytes()


def test_a_file_that_exists_is_replaced_only_when_asked(running: LocalSystem):
    (running.folder / "mine").write_text("mine")
    assert "--force" in refused(running, "backup", "--local", "mine")
    assert (running.folder / "mine").read_text() == "mine"
    done(running, "backup", "--local", "--force", "mine")
    assert isinstance(ids(running.folder / "mine"), set)
    assert "is a folder" in refused(running, "backup", "--local", "--force", ".")
    assert "cannot write" in refused(running, "backup", "--local", "no/such/folder").splitlines()[-1]


def test_restore_refuses_what_is_no_backup_and_asks(running: LocalSystem):
    call_status(running)
    before = log(running)
    (running.folder / "junk").write_text("junk")
    assert "nothing was restored" in refused(running, "restore", "--local", "--yes", "junk")
    outbox = str(running.data_dir / "service1" / "outbox.sqlite3")
    assert "another program" in refused(running, "restore", "--local", "--yes", outbox)
    assert "cannot read" in refused(running, "restore", "--local", "--yes", "nowhere")
    done(running, "backup", "--local", "--force", "a")
    assert "--yes" in refused(running, "restore", "--local", "a", code=2)
    assert log(running) == before == running.vstorage.read_bytes()
    assert not (running.data_dir / "storage" / "restore.part").exists()


def test_restore_into_a_system_that_does_not_run(running: LocalSystem, tmp_path: Path):
    call_status(running, 2)
    done(running, "backup", "--local", "--force", "a")
    other = LocalSystem(tmp_path / "other")
    other.vstorage.write_text("a line of an older run\n")
    assert "vstorage follows" in done(other, "restore", "--local", "--yes", str(running.folder / "a"))
    other.start()
    try:
        assert "equal, " in done(other, "verify", "--local")
        assert log(other) == other.vstorage.read_bytes() != b""
    finally:
        other.stop()
