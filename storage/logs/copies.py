"""Copies of the log's database, and one of them put in its place. For SQLite: PostgreSQL has its own tools.

Both directions use SQLite's backup API, which copies between two open databases: a running storage keeps its
connections, and each of them sees the database as it was or as it is, never a part of either.
"""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import cast

from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.loader import MigrationLoader

from logs.models import Edition
from statuslog.sqlite.base import DatabaseWrapper

# Seconds without a commit before the log changes: who follows it has read all by then, also what another worker process
# has committed (following.py looks every half a second).
FOLLOWED = 0.6
COPY = "copy"  # the alias of a copy among Django's databases


class CopyError(Exception):
    """A copy cannot be made, or must not be put in place; the text says why."""


def live_file() -> Path:
    """The log's database; raises CopyError if there is none."""
    if connection.vendor != "sqlite":
        raise CopyError("the log is in PostgreSQL: use pg_dump and pg_restore, and `verify --repair` after a restore")
    file = Path(connection.settings_dict["NAME"])
    if not file.exists():
        raise CopyError(f"{file}: there is no database yet")
    return file


def new_file(path: Path) -> Path:
    """An empty file, which only its owner may read: a database has hashes of passwords."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    return path


def remove(file: Path) -> None:
    """Remove a copy, and what SQLite may have left beside it."""
    for end in ("", "-wal", "-shm", "-journal", ".lock"):
        file.with_name(f"{file.name}{end}").unlink(missing_ok=True)


def copy(file: Path, to: Path) -> int:
    """Copy a database as it is at this moment, whoever writes to it; returns the number of records.

    In one step and so in one read transaction: a copy in steps begins anew with each write of another process.
    """
    new_file(to)
    with closing(_open(file)) as source, closing(_open(to)) as target:
        source.execute("BEGIN")
        count = _count(source)
        source.backup(target)
        source.execute("ROLLBACK")
        target.execute("PRAGMA journal_mode=DELETE")  # one file, without others beside it
        if _count(target) != count:
            raise CopyError(f"{to}: the copy has not as many records as the log has")
    return count


def check(file: Path) -> None:
    """Read all of a database; raises CopyError if it is damaged."""
    try:
        with closing(_open(file)) as database:
            (verdict,) = database.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        verdict = str(error)
    if verdict != "ok":
        raise CopyError(f"damaged, or not a database: {verdict}")


def make_ready(file: Path) -> int:
    """Check a copy that is to be put in place, and bring it up to date; returns its number of records."""
    check(file)
    with closing(_open(file)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"django_migrations", "logs_logrecord"} <= tables:
            raise CopyError("a database of another program: it has no log")
        applied = set(database.execute("SELECT app, name FROM django_migrations"))
    if unknown := applied - set(MigrationLoader(None).disk_migrations):
        newest = ".".join(max(unknown))
        raise CopyError(f"made by a newer version of statuslog, which has the migration {newest}; update first")
    migrate(file)
    with closing(_open(file)) as database:
        database.execute("DELETE FROM logs_fence")  # of another time, and perhaps of another clock
        if database.execute("PRAGMA auto_vacuum").fetchone() == (0,):  # made before prune could give space back
            database.execute("PRAGMA auto_vacuum=INCREMENTAL")
            database.execute("VACUUM")
        return _count(database)


def migrate(file: Path, *to: str) -> None:
    """Bring a copy up to date, or to another state, such as logs 0002."""
    connections[COPY] = connection.copy(alias=COPY)
    connections[COPY].settings_dict["NAME"] = str(file)
    try:
        call_command("migrate", *to, database=COPY, verbosity=0, interactive=False)
    finally:
        connections[COPY].close()
        del connections[COPY]


def put_in_place(file: Path, old: Path) -> int:
    """Let the log be what the copy is, and keep what it was in `old`; returns how many records those are.

    Nobody writes meanwhile: each record is in the old log or comes to the new one.
    """
    engine = cast(DatabaseWrapper, connection)
    live = live_file()
    with engine.turn() as target:
        try:
            count = copy(live, old)
        except sqlite3.DatabaseError as error:
            raise CopyError(
                f"{live}: damaged ({error}). Stop the system, move this file and those that begin with its name away, "
                "start the system again, and restore into the new log"
            ) from error
        time.sleep(FOLLOWED)
        with closing(_open(file)) as source:
            source.execute(
                "INSERT INTO logs_edition (id, number) VALUES (1, :next)"
                " ON CONFLICT (id) DO UPDATE SET number = max(number + 1, :next)",
                {"next": Edition.current() + 1},
            )
            _go_on_counting(source, target)
            source.backup(target)
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # the write-ahead log holds all of it
    return count


def _go_on_counting(source: sqlite3.Connection, live: sqlite3.Connection) -> None:
    """Let no row number of the live log be given again after the copy is put in place: to those who follow the log by
    row, a record with the number of one that they have seen would be none."""
    where = "WHERE name = 'logs_logrecord'"
    (given,) = live.execute(f"SELECT coalesce(max(seq), 0) FROM sqlite_sequence {where}").fetchone()  # noqa: S608
    if not source.execute(f"SELECT 1 FROM sqlite_sequence {where}").fetchone():  # noqa: S608
        source.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('logs_logrecord', 0)")
    source.execute(f"UPDATE sqlite_sequence SET seq = max(seq, ?) {where}", [given])  # noqa: S608


def _open(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, timeout=20, isolation_level=None)


def _count(database: sqlite3.Connection) -> int:
    (count,) = database.execute("SELECT count(*) FROM logs_logrecord").fetchone()
    return int(count)
