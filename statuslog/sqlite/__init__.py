"""How the services use SQLite: the settings of a database, and the one that belongs to its file.

With `base.py` beside it this is a Django database engine.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from statuslog.database import DatabaseRefused
from statuslog.sqlite import reserve

# Reading a larger file from end to end would hold up the start; `verify` and `backup` look at all of it.
LARGEST_CHECKED = 64 * 2**20


SERVES = "SERVES"  # in the settings of a database: the process answers requests, see placed.py


class SqliteError(DatabaseRefused):
    """A database file that the system cannot work with; the text says why."""


def database(file: Path) -> dict[str, Any]:
    """The entry of Django's DATABASES for `file`."""
    return {
        "ENGINE": "statuslog.sqlite",
        "NAME": file,
        "CONN_MAX_AGE": None,  # a thread keeps its connection: opening the file costs more than a POST
        "OPTIONS": {
            # A transaction takes the write lock when it begins: one that reads first and writes later
            # would fail at once, without waiting, when another has written in between.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,  # seconds; who answers a client waits for less, see `transaction_timeout`
            "init_command": (
                # What was acknowledged must survive a power cut: wait for the disk at each commit.
                "PRAGMA synchronous=FULL;"
                # After a burst the write-ahead log is cut back to 16 MiB instead of staying at its peak.
                "PRAGMA journal_size_limit=16777216;"
                # Of the process: from here on a connection uses the pages of its own cache again. Without it each of a
                # hundred threads that have read the log once would keep 2 MiB.
                "PRAGMA soft_heap_limit=8388608;"
            ),
            # No mmap_size: an I/O error on a mapped page kills the process instead of failing one request.
            # journal_mode=WAL is a property of the file: `migrate` sets and verifies it, see below.
        },
        # In memory the tests would not see what the settings above do to a file.
        "TEST": {"NAME": file.with_name("test.sqlite3")},
    }


def serve(settings: dict[str, Any]) -> None:
    """Change `settings`, if they are ours, to those of a process that answers requests: it never makes an empty file in
    place of one that was lost, and ends when only a new process can go on."""
    if settings["ENGINE"] == "statuslog.sqlite":
        settings[SERVES] = True


def check_file(file: Path) -> None:
    """Refuse a file that is damaged or somebody else's before anything writes to it; raises SqliteError."""
    if not file.exists() or file.stat().st_size == 0:
        return
    try:
        with closing(sqlite3.connect(file)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            verdict = "ok"
            if file.stat().st_size <= LARGEST_CHECKED:
                (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and reserve.is_full(file.parent):
            raise SqliteError(f"{file}: {error}, as its disk is full: free some, and start again") from error
        raise SqliteError(f"{file}: {error}; restore a backup, or move the file away to begin anew") from error
    if verdict != "ok":
        raise SqliteError(f"{file}: damaged ({verdict}); restore a backup, or move the file away to begin anew")
    if tables and "django_migrations" not in tables:
        raise SqliteError(f"{file}: a database of another program; move it away to begin anew")


def set_auto_vacuum(connection: Any) -> None:
    """Let the file be made smaller a few pages at a time, which needs a database that has no table yet, or a VACUUM
    of this connection: that writes all of it anew, and nobody else may write meanwhile."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")


def set_write_ahead_log(connection: Any) -> None:
    """Let readers and a writer work at the same time; it stays with the file, so once at migrate is enough.

    SQLite answers with the mode that it has chosen: on a filesystem without shared memory it keeps the old one.
    """
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode=WAL")
        (mode,) = cursor.fetchone()
    if mode != "wal":
        raise SqliteError(f"{connection.settings_dict['NAME']}: SQLite keeps journal_mode={mode}, not WAL")
