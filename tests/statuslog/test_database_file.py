"""A database whose file is removed or replaced while it is open: nothing is acknowledged that is not at its path."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from django.db import OperationalError, connection, transaction

from statuslog import sqlite
from statuslog.sqlite.base import DatabaseWrapper

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db(transaction=True)]

Open = Callable[[], DatabaseWrapper]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database in a folder of its own."""
    file = tmp_path / "data" / "a?b%20.sqlite3"  # as no URL would have it
    file.parent.mkdir()
    made(file, 1)
    return file


@pytest.fixture
def opened(file: Path) -> Iterator[Open]:
    """Connections to the file, each as a thread of a service has it."""
    held: list[DatabaseWrapper] = []

    def open_one() -> DatabaseWrapper:
        one = cast(DatabaseWrapper, connection.copy(alias="other"))
        one.settings_dict["NAME"] = file
        sqlite.serve(one.settings_dict)
        one.inc_thread_sharing()
        held.append(one)
        return one

    yield open_one
    for one in held:
        one.close()


def made(file: Path, *numbers: int) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE n (i)")
        database.executemany("INSERT INTO n VALUES (?)", [(number,) for number in numbers])


def insert(database: DatabaseWrapper, number: int) -> None:
    """One transaction."""
    with Atomic(database), database.cursor() as cursor:
        cursor.execute("INSERT INTO n VALUES (%s)", [number])


class Atomic(transaction.Atomic):
    """`transaction.atomic` for a connection that is not among Django's own."""

    def __init__(self, database: DatabaseWrapper) -> None:
        super().__init__(using=None, savepoint=True, durable=True)
        self._database = database

    def __enter__(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transaction, "get_connection", lambda _: self._database)
            super().__enter__()

    def __exit__(self, *error: Any) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transaction, "get_connection", lambda _: self._database)
            super().__exit__(*error)


def numbers(database: DatabaseWrapper) -> list[int]:
    with database.cursor() as cursor:
        cursor.execute("SELECT i FROM n ORDER BY i")
        return [number for (number,) in cursor.fetchall()]


def on_disk(file: Path) -> list[int]:
    """What the next process finds."""
    with closing(sqlite3.connect(file)) as database:
        return [number for (number,) in database.execute("SELECT i FROM n ORDER BY i")]


def test_what_is_committed_to_a_removed_file_is_not_acknowledged(file: Path, opened: Open):
    database = opened()
    with pytest.raises(OperationalError, match="removed or replaced") as error, Atomic(database):
        with database.cursor() as cursor:
            cursor.execute("INSERT INTO n VALUES (2)")
        file.unlink()
    assert database.trouble(error.value) == "replaced"


@pytest.mark.parametrize("how", ["unlink", "rename the folder", "empty the folder"])
def test_without_its_file_a_service_neither_reads_nor_writes_nor_makes_one(file: Path, opened: Open, how: str):
    database, later = opened(), opened()
    insert(database, 2)
    if how == "unlink":
        file.unlink()
    elif how == "rename the folder":
        file.parent.rename(file.parent.with_name("old"))
        file.parent.mkdir()
    else:
        for path in list(file.parent.iterdir()):
            path.unlink()
    for use in (lambda: numbers(database), lambda: insert(database, 3), database.check_place, lambda: numbers(later)):
        with pytest.raises(OperationalError, match="removed or replaced"):
            use()
    assert not file.exists()
    made(file, 7)
    for one in (database, later):
        insert(one, 8)
    assert numbers(later) == [7, 8, 8]


def test_a_file_that_is_put_back_is_used_with_all_that_was_in_it(file: Path, opened: Open):
    database = opened()
    insert(database, 2)
    file.rename(file.with_name("elsewhere"))
    with pytest.raises(OperationalError, match="removed or replaced"):
        insert(database, 3)
    file.with_name("elsewhere").rename(file)
    insert(database, 4)
    assert numbers(opened()) == [1, 2, 4]


def test_another_file_in_its_place_is_used_by_all_threads_and_is_not_mixed_with_the_old_one(
    file: Path, opened: Open, tmp_path: Path
):
    threads = [opened() for _ in range(3)]
    for thread in threads:
        insert(thread, 2)
    file.rename(tmp_path / "old")
    made(tmp_path / "new", 7)
    (tmp_path / "new").rename(file)
    insert(threads[0], 8)
    assert [numbers(thread) for thread in threads] == [[7, 8]] * 3
    insert(threads[1], 9)
    assert numbers(opened()) == [7, 8, 9]
    for thread in threads:
        thread.close()
    assert on_disk(file) == [7, 8, 9]
    assert on_disk(tmp_path / "old") == [1, 2, 2, 2]  # also what was in its write-ahead log
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("end", ["-wal", "-shm"])
def test_without_its_write_ahead_log_what_is_acknowledged_is_in_the_file(
    file: Path, opened: Open, end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ended: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *call: ended.append(call))
    database = opened()
    insert(database, 2)
    file.with_name(f"{file.name}{end}").unlink()
    insert(database, 3)
    assert ended  # gunicorn starts another process, which opens the file by itself
    shutil.copy(file, tmp_path / "after the power cut")
    assert on_disk(tmp_path / "after the power cut") == [1, 2, 3]
    with pytest.raises(OperationalError, match="removed or replaced"):  # it would have a write-ahead log of its own
        numbers(opened())


def test_a_reader_in_the_way_of_that_makes_it_no_success(file: Path, opened: Open, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "kill", lambda *call: None)
    database, reader = opened(), opened()
    insert(database, 2)
    with reader.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM n")
        insert(database, 3)
        file.with_name(f"{file.name}-wal").unlink()
        with pytest.raises(OperationalError, match="removed or replaced"):
            insert(database, 4)
        cursor.execute("COMMIT")


def test_a_command_makes_a_database_for_its_owner_only(tmp_path: Path):
    one = connection.copy(alias="other")
    one.settings_dict["NAME"] = tmp_path / "db"
    try:
        with one.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("CREATE TABLE n (i)")
            modes = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
    finally:
        one.close()
    assert modes == dict.fromkeys(("db", "db-wal", "db-shm"), "0o600")
