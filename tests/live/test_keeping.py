"""manage_all.sh backup, restore and prune, while the system runs under load."""

import json
import os
import re
import signal
import sqlite3
import time
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from uuid import UUID

import pytest
import requests

from statuslog.record import MICROSECOND, show_timestamp
from tests.live.oracle import Load, load
from tests.manage_all import LocalSystem
from tests.thorough import times

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

WRITERS = 8
BACKUPS = times(3, thorough=20)
PRUNED = 10_000
BATCH = 2000
LONGEST_WAIT = 1.0
FOLLOWED_SECONDS = 30.0


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


def test_a_follower_across_restores_under_load_gets_each_record_once(running: LocalSystem):
    done(running, "backup", "--local", "--force", "a")
    received: list[str] = []
    answer = requests.get(f"{running.public}/log?follow=1&format=ndjson", stream=True, timeout=20)

    def follow() -> None:
        with suppress(requests.RequestException):
            received.extend(json.loads(line)["id"] for line in answer.iter_lines(chunk_size=1) if line)

    follower = Thread(target=follow, daemon=True)
    follower.start()
    with load(running, WRITERS) as seen:
        for _ in range(2):
            done(running, "restore", "--local", "--yes", "a")
    until = time.monotonic() + FOLLOWED_SECONDS
    sent = {record["id"] for record in seen.acknowledged}
    while not sent <= set(received):
        assert time.monotonic() < until, f"{len(sent - set(received))} of {len(sent)} were missed"
        time.sleep(0.1)
    assert len(received) == len(set(received))
    answer.close()


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
    nowhere = running.folder / "no" / "such"
    assert refused(running, "backup", "--local", "no/such/file") == (
        f"manage_all.sh: cannot write to the folder of {nowhere}/file (No such file or directory); "
        "make the folder, or name another FILE\n"
    )


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


def test_prune_under_load_holds_up_no_request_and_keeps_the_stores_equal(running: LocalSystem):
    old = datetime(2025, 1, 1, tzinfo=UTC)
    fill(running, old, 2 * PRUNED)
    middle = show_timestamp(old + PRUNED * MICROSECOND)
    inode = running.vstorage.stat().st_ino
    with load(running, WRITERS) as seen:
        records = len(log(running).splitlines()) - PRUNED
        printed = done(running, "prune", "--local", "--yes", "--keep-last", str(records))
        assert re.match(rf"removed [\d,]+ of [\d,]+ records, all before {middle[:13]}", printed)
        assert "equal, " in printed
    assert set(seen.codes) == {200}
    assert seen.slowest < LONGEST_WAIT
    assert {delivery.partition(",")[0] for delivery in seen.deliveries} == {"storage=stored"}
    assert "equal, " in done(running, "verify", "--local")
    assert log(running) == running.vstorage.read_bytes()
    assert acknowledged(seen) <= ids(running.data_dir / "storage" / "db.sqlite3")
    assert running.vstorage.stat().st_ino == inode
    with closing(sqlite3.connect(running.data_dir / "storage" / "db.sqlite3")) as opened:
        assert opened.execute("PRAGMA freelist_count").fetchone()[0] < PRUNED / 50  # the space was given back


def test_a_prune_that_is_killed_is_ended_by_the_next(running: LocalSystem):
    fill(running, datetime(2024, 1, 1, tzinfo=UTC), PRUNED)
    rows = len(ids(running.data_dir / "storage" / "db.sqlite3"))
    process = running.popen("prune", "--local", "--yes", "--older-than", "52w")
    until = time.monotonic() + FOLLOWED_SECONDS
    while len(log(running).splitlines()) >= rows - PRUNED + 1:  # until they are out of the log
        assert time.monotonic() < until
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert "equal, " in done(running, "verify", "--local")
    assert done(running, "prune", "--local", "--yes", "--older-than", "52w").startswith("nothing to remove\n")
    assert len(ids(running.data_dir / "storage" / "db.sqlite3")) == len(log(running).splitlines()) <= rows - PRUNED
    assert log(running) == running.vstorage.read_bytes()


def test_the_daily_prune_is_storages_own_and_vstorage_follows(tmp_path: Path):
    system = LocalSystem(tmp_path / "daily", PRUNE_KEEP_LAST="3")
    system.start()
    try:
        call_status(system, 4)
        system.stop()
        system.start()
        until = time.monotonic() + FOLLOWED_SECONDS
        while system.vstorage.read_bytes().count(b"\n") != 3:
            assert time.monotonic() < until, system("logs", "--local").stdout
            time.sleep(0.1)
        assert log(system) == system.vstorage.read_bytes()
    finally:
        system.stop()


def test_prune_of_a_system_that_does_not_run(running: LocalSystem, tmp_path: Path):
    call_status(running, 2)
    done(running, "backup", "--local", "--force", "a")
    other = LocalSystem(tmp_path / "other")
    done(other, "restore", "--local", "--yes", str(running.folder / "a"))
    assert "vstorage follows" in done(other, "prune", "--local", "--yes", "--keep-last", "1")
    assert "--yes" in refused(other, "prune", "--local", "--keep-last", "1", code=2)
    other.start()
    try:
        assert "equal, 1 record\n" in done(other, "verify", "--local")
    finally:
        other.stop()


def fill(system: LocalSystem, first: datetime, count: int) -> None:
    """Post so many records, a microsecond apart, to storage's own API; vstorage lacks them until it is written anew."""
    for start in range(0, count, BATCH):
        batch = [
            {
                "id": str(UUID(int=number + 1)),
                "service": "service1",
                "instance": "a",
                "timestamp": show_timestamp(first + number * MICROSECOND),
                "line": f"{first:%Y-%m-%dT%H:%M:%SZ}: record {number}",
            }
            for number in range(start, min(start + BATCH, count))
        ]
        url = f"http://127.0.0.1:{system.storage_port}/log"
        assert requests.post(url, json=batch, timeout=30).status_code == 201


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
