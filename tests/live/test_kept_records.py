"""What no store could take, or only one has, is never lost: the commands `outbox`, `clock` and `verify --repair`."""

import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from statuslog.record import EPOCH, show_timestamp
from tests.contract.agreement import until
from tests.contract.client import get, get_json
from tests.manage_all import LocalSystem

pytestmark = [pytest.mark.live, pytest.mark.sqlite]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    system = LocalSystem(tmp_path_factory.mktemp("kept"))
    system.start()
    try:
        yield system
    finally:
        system.stop()


@pytest.fixture
def system(running: LocalSystem) -> LocalSystem:
    for command in (["reset", "--yes"], ["verify"]):  # which has vstorage follow the log's new edition at once
        done = running(*command)
        assert done.returncode == 0, done.stderr
    return running


def change(file: Path, sql: str, *values: Any) -> None:
    with closing(sqlite3.connect(file, timeout=10)) as database, database:
        database.execute(sql, values)


def log_of(system: LocalSystem) -> Path:
    return system.data_dir / "storage" / "db.sqlite3"


def agree(system: LocalSystem) -> bool:
    ports = (system.public_port, system.service2_port)
    waiting = any(get_json(f"http://127.0.0.1:{port}/readyz").json()["outbox"]["waiting"] for port in ports)
    return not waiting and get(f"{system.public}/log").content == system.vstorage.read_bytes()


def taken(system: LocalSystem) -> list[dict[str, Any]]:
    """The records of one /status, which are of now."""
    answer = get_json(f"{system.public}/status")
    assert answer.status_code == 200, answer.text
    records: list[dict[str, Any]] = answer.json()["records"]
    for record in records:
        assert abs(datetime.fromisoformat(record["timestamp"]) - datetime.now(UTC)) < timedelta(minutes=1)
    return records


def keep_future(system: LocalSystem, time: datetime) -> str:
    """A record of that time in both stores, as a version took it that looked at no times."""
    line = f"{time:%FT%T}Z: uptime 1.000 hours, free disk in root: 1.00 MBytes"
    columns = "record_id, service, instance, timestamp, line, received_at"
    sql = f"INSERT INTO logs_logrecord ({columns}) VALUES (?, 'service1', 'h', ?, ?, '2026-01-01 00:00:00')"
    change(log_of(system), sql, uuid4().hex, f"{time:%F %T.%f}", line)
    with system.vstorage.open("a") as file:
        file.write("torn")
    return line


@pytest.mark.parametrize("time", ["2099-05-06T07:08:09+00:00", "9999-12-31T23:59:59.999999+00:00"])
def test_after_a_clock_that_was_ahead_times_are_true_again(system: LocalSystem, time: str):
    before = taken(system)
    line = keep_future(system, datetime.fromisoformat(time))
    during = taken(system)
    until(lambda: get_json(f"{system.public}/readyz").json()["reasons"] == ["clock_ahead"])
    during += taken(system)
    until(lambda: agree(system))
    assert "clock_ahead: a record is dated far in the future" in system("status").stdout
    assert "storage: 1 record in the log from after now\n" in system("clock").stdout
    assert system("clock", "--repair").returncode == 2  # there is no terminal to ask on
    done = system("clock", "--repair", "--yes")
    assert done.returncode == 0, done.stderr
    (kept,) = re.findall(r"took 1 record from after now out of the log, into (\S+)", done.stdout)
    assert json.loads(Path(kept).read_text())["line"] == line
    after = taken(system)
    until(lambda: agree(system))
    assert get_json(f"{system.public}/readyz").json()["reasons"] == []
    expected = [record["line"] for record in before + during + after]
    assert sorted(system.vstorage.read_text().splitlines()) == sorted(expected)
    assert system("verify").stdout == f"equal, {len(expected)} records\n"
    assert "storage: 0 records in the log from after now\n" in system("clock").stdout


def test_a_newest_time_of_2099_makes_no_record_of_2099(system: LocalSystem):
    taken(system)
    newest = (datetime(2099, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    os.setxattr(system.vstorage, "user.statuslog", json.dumps([newest, None, 0]).encode())
    taken(system)
    taken(system)
    until(lambda: agree(system))


def refused(system: LocalSystem) -> dict[str, Any]:
    """A record in service1's outbox, that storage has refused."""
    made = {**taken(system)[0], "id": str(uuid4()), "line": "refused once"}
    sql = "INSERT INTO outbox_outboxrecord (record, refused) VALUES (?, '409: another one')"
    change(system.data_dir / "service1" / "outbox.sqlite3", sql, json.dumps(made))
    return made


def test_a_refused_record_is_shown_exported_and_sent_again(system: LocalSystem):
    made = refused(system)
    shown = system("outbox").stdout
    assert shown == (
        "service1: 0 records waiting, 1 refused\n"
        f"  refused once\n    {made['id']}, refused: 409: another one\n"
        "service2: 0 records waiting, 0 refused\n"
    )
    assert json.loads(system("outbox", "--export").stdout) == made
    assert "refused once" not in system.vstorage.read_text()
    assert system("outbox", "--send").stdout.startswith("service1: 1 record to be sent again, within seconds\n")
    until(lambda: "refused once" in get(f"{system.public}/log").text)
    until(lambda: agree(system))
    assert "refused once" in system.vstorage.read_text()


def test_a_repair_loses_no_refused_record_and_remove_asks(system: LocalSystem):
    made = refused(system)
    assert system("verify", "--repair").returncode == 0
    assert json.loads(system("outbox", "--export").stdout) == made
    assert system("outbox", "--remove").returncode == 2
    assert system("outbox", "--remove", "--yes").stdout.startswith("service1: removed 1 record\n")
    assert system("outbox", "--export").stdout == ""


def test_a_repair_keeps_aside_what_a_lost_log_had(system: LocalSystem):
    lost = [record["line"] for _ in range(3) for record in taken(system)]
    change(log_of(system), "DELETE FROM logs_logrecord")
    new = [record["line"] for record in taken(system)]
    done = system("verify", "--repair")
    assert done.returncode == 0, done.stderr
    (kept,) = re.findall(r"what vstorage alone had was kept aside in (\S+)", done.stdout)
    assert Path(kept).read_text().splitlines() == lost
    assert system.vstorage.read_text().splitlines() == new
    done = system("import", kept)
    assert done.returncode == 0, done.stderr
    assert system.vstorage.read_text().splitlines() == lost + new


def test_an_early_record_waits_and_is_sent_when_its_time_has_come(system: LocalSystem):
    made = taken(system)[0]
    time = datetime.now(UTC) + timedelta(minutes=5, seconds=8)
    early = {**made, "id": str(uuid4()), "timestamp": show_timestamp(time), "line": "early"}
    outbox = system.data_dir / "service1" / "outbox.sqlite3"
    change(outbox, "INSERT INTO outbox_outboxrecord (record, refused) VALUES (?, '')", json.dumps(early))
    until(lambda: get_json(f"{system.public}/readyz").json()["reasons"] == ["clock_ahead"])
    assert get_json(f"{system.public}/readyz").json()["outbox"] == {"waiting": 1, "refused": 0}
    assert "    " + early["id"] + ", waits until 20" in system("outbox").stdout
    taken(system)
    assert get(f"{system.public}/log").content == system.vstorage.read_bytes()
    until(lambda: "early" in get(f"{system.public}/log").text, 25)
    until(lambda: agree(system))
    assert "early" in system.vstorage.read_text()
