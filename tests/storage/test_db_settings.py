"""SQLite's settings, read off a database that is a file: in memory they would not show."""

import fcntl
import gc
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError, connection, transaction

from logs import writer
from logs.models import LogRecord
from logs.serializers import records_from_text
from logs.writer import Post
from statuslog.sqlite import SqliteError, check_file, set_write_ahead_log
from tests.storage.conftest import MOMENT

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db(transaction=True)]


def pragma(name: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {name}")
        return cursor.fetchone()[0]


def file() -> Path:
    return Path(connection.settings_dict["NAME"])


@pytest.fixture
def another() -> Iterator[sqlite3.Connection]:
    """Another process's connection to the same file, for all that SQLite knows."""
    other = sqlite3.connect(file(), timeout=0.1, isolation_level=None, check_same_thread=False)
    yield other
    other.close()


def test_the_database_is_a_file():
    assert file().is_file()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("journal_size_limit", 16 * 2**20),
        ("mmap_size", 0),
        ("busy_timeout", 20_000),
        ("foreign_keys", 1),
    ],
)
def test_pragma(name: str, value: object):
    assert pragma(name) == value


def test_settings_also_hold_for_a_connection_made_later():
    connection.close()
    assert pragma("synchronous") == 2
    assert pragma("journal_size_limit") == 16 * 2**20


def test_requests_are_not_transactions():
    assert connection.settings_dict["ATOMIC_REQUESTS"] is False


def test_a_transaction_takes_the_write_lock_when_it_begins(another: sqlite3.Connection):
    with transaction.atomic():
        LogRecord.objects.exists()  # has only read
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            another.execute("BEGIN IMMEDIATE")
        another.execute("SELECT count(*) FROM logs_logrecord")  # readers are not held up
    another.execute("BEGIN IMMEDIATE")


def test_a_second_transaction_cannot_begin(another: sqlite3.Connection):
    another.execute("BEGIN IMMEDIATE")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout=100")
    with pytest.raises(OperationalError, match="locked"), transaction.atomic():
        pass
    connection.close()  # with the short patience


def test_a_reader_does_not_see_what_is_not_committed(another: sqlite3.Connection):
    with transaction.atomic():
        LogRecord.objects.create(record_id=UUID(int=1), timestamp=MOMENT, line="a", received_at=MOMENT)
        assert another.execute("SELECT count(*) FROM logs_logrecord").fetchone() == (0,)
    assert another.execute("SELECT count(*) FROM logs_logrecord").fetchone() == (1,)


def test_a_writer_that_does_not_win_the_lock_is_busy(another: sqlite3.Connection):
    another.execute("BEGIN IMMEDIATE")
    with pytest.raises(writer.Busy):
        writer.store(Post(records_from_text([b"a"], MOMENT, None)))
    another.execute("ROLLBACK")
    assert pragma("busy_timeout") == 20_000  # its own short patience was for that one time
    assert writer.store(Post(records_from_text([b"a"], MOMENT, None))) == 1


def test_the_gate_lets_one_transaction_in_at_a_time():
    with file().with_name(f"{file().name}.lock").open("a") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)  # another process is in its transaction
        with pytest.raises(writer.Busy, match="its turn did not come"):
            writer.store(Post(records_from_text([b"a"], MOMENT, None)))
    assert writer.store(Post(records_from_text([b"a"], MOMENT, None))) == 1


def test_the_gate_is_open_again_after_an_error():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        _ = 1 / 0
    with file().with_name(f"{file().name}.lock").open("a") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_writer_waits_a_little_for_the_lock(another: sqlite3.Connection):
    another.execute("BEGIN IMMEDIATE")
    threading.Timer(0.2, another.rollback).start()
    assert writer.store(Post(records_from_text([b"a"], MOMENT, None))) == 1


def test_migrate_sets_the_write_ahead_log(another: sqlite3.Connection):
    connection.close()
    gc.collect()  # also the connections of threads that have ended
    another.execute("PRAGMA journal_mode=DELETE")
    assert pragma("journal_mode") == "delete"
    set_write_ahead_log(connection)
    assert pragma("journal_mode") == "wal"


def test_a_database_that_cannot_have_a_write_ahead_log_is_refused():
    class Refusing:
        vendor = "sqlite"
        settings_dict = {"NAME": "db.sqlite3"}

        def cursor(self):
            return self

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def execute(self, _):
            return None

        def fetchone(self):
            return ("delete",)

    with pytest.raises(SqliteError, match=r"db\.sqlite3: SQLite keeps journal_mode=delete, not WAL"):
        set_write_ahead_log(Refusing())


# the file at the start


def test_a_new_or_good_file_is_taken(tmp_path: Path):
    check_file(tmp_path / "none")
    (tmp_path / "empty").touch()
    check_file(tmp_path / "empty")
    connection.close()
    check_file(file())


@pytest.mark.parametrize("content", [b"no database at all, just text" * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_what_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes):
    (tmp_path / "db").write_bytes(content)
    with pytest.raises(SqliteError, match="move the file away to begin anew"):
        check_file(tmp_path / "db")
    assert (tmp_path / "db").read_bytes() == content


def test_a_database_of_another_program_is_refused(tmp_path: Path):
    with sqlite3.connect(tmp_path / "db") as other:
        other.execute("CREATE TABLE recipes (name)")
    with pytest.raises(SqliteError, match="of another program"):
        check_file(tmp_path / "db")


def test_a_damaged_page_is_found(tmp_path: Path):
    with sqlite3.connect(tmp_path / "db") as other:
        other.execute("CREATE TABLE django_migrations (name)")
        other.executemany("INSERT INTO django_migrations VALUES (?)", [("x" * 500,)] * 100)
    content = bytearray((tmp_path / "db").read_bytes())
    content[8192:12288] = b"\x0d" * 4096
    (tmp_path / "db").write_bytes(content)
    with pytest.raises(SqliteError, match="restore a backup"):
        check_file(tmp_path / "db")
