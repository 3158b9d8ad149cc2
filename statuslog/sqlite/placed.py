"""Django's SQLite engine, which notices when the file that it has open is no longer the one at its path.

SQLite goes on with a file that somebody has removed or replaced: what is committed then is gone with the last process
that has it open. So a commit is acknowledged only after a look at the path; and where another database has been put
there, the next use opens that one: docs/adr/0002-sqlite.md.
"""

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote
from weakref import WeakSet

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

from statuslog.sqlite import SERVES

REPLACED = "the database's file was removed or replaced"
SIDES = ("-wal", "-shm")  # the write-ahead log and its index, which belong to a database that is open
MODE = 0o600  # the database has hashes of passwords
CHECKPOINT_MILLISECONDS = 1000

Identity = tuple[int, int]  # device and inode

_placed: "WeakSet[DatabaseWrapper]" = WeakSet()
_opening = threading.Lock()


def identity(path: str) -> Identity | None:
    """Which file is at the path now; None if there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - for each commit, and a Path takes twice the time
    except OSError:
        return None
    return found.st_dev, found.st_ino


def held() -> "list[DatabaseWrapper]":
    """The connections of this process that know which files they have open."""
    return list(_placed)


def displaced(file: Path) -> "list[DatabaseWrapper]":
    """Those that have a file open which was at this path, and is not there any more; once copied they do not count."""
    path = str(file.absolute())
    now = identity(path)
    return [one for one in held() if one._paths[:1] == (path,) and one._opened[:1] != (now,) and not one._is_copied]


def copy_displaced(file: Path, target: sqlite3.Connection) -> None:
    """Copy to `target` what one of them has open, and remove what is left of it beside the path; raises OSError."""
    with _opening:
        lost = displaced(file)
        if not lost:
            raise FileNotFoundError(f"{file}: no connection has it open")
        lost[0].connection.backup(target)
        lost[0]._remove_sides()
        for other in lost:
            other._is_copied = other._opened[0] == lost[0]._opened[0]


def make_private(file: Path) -> None:
    """Let nobody else read a database that was made by an older version; SQLite gives new SIDES the same mode."""
    for end in ("", *SIDES):
        with suppress(OSError):  # there is none, or another user has made it readable for us
            file.with_name(f"{file.name}{end}").chmod(MODE)


@contextmanager
def _patience(connection: sqlite3.Connection, milliseconds: int) -> Iterator[None]:
    """In the block SQLite waits for its own locks for so long."""
    (usual,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute(f"PRAGMA busy_timeout={milliseconds}")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA busy_timeout={usual}")


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection knows the files that it has open, and uses no others by chance."""

    # The paths of the database and its SIDES, and what was there when they were opened; empty if nothing is to be held.
    _paths: tuple[str, ...] = ()
    _opened: tuple[Identity | None, ...] = ()
    _is_copied = False  # all that is in what is open was written again, to the path: rescue.py

    def get_connection_params(self) -> dict[str, Any]:
        """A process that serves opens a file that is there, and never makes an empty one in place of a lost one."""
        parameters: dict[str, Any] = super().get_connection_params()
        if not self.is_in_memory_db():
            path = str(Path(parameters["database"]).absolute())
            if self.settings_dict.get(SERVES):
                parameters["database"] = f"file:{quote(path)}?mode=rw"
            else:
                # O_EXCL: to close a file that is open elsewhere in this process would end SQLite's locks on it.
                with suppress(OSError):  # SQLite says what is wrong
                    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE))
            self._paths = (path, *(f"{path}{end}" for end in SIDES))
        return parameters

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        if not self._paths:
            return super().get_new_connection(conn_params)
        with _opening:
            try:
                connection = super().get_new_connection(conn_params)
            except sqlite3.OperationalError as error:
                if identity(self._paths[0]) is None:
                    raise OperationalError(REPLACED) from error
                raise
            try:
                self._note(connection)
            except BaseException:
                connection.close()
                raise
        return connection

    def _note(self, connection: sqlite3.Connection) -> None:
        """Note which files the connection has open; raises OperationalError if their sides are not those of the other
        connections of this process, which would read each the other's write-ahead log."""
        database = identity(self._paths[0])
        sides = tuple(map(identity, self._paths[1:]))
        for other in list(_placed):
            if other._opened[:1] == (database,) and other._paths == self._paths and other._is_beside(sides):
                raise OperationalError(REPLACED)
        # SQLite opens the sides with the first reading. A database that is locked is opened all the same.
        with _patience(connection, 0), suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA schema_version").fetchone()
        self._opened = (database, *map(identity, self._paths[1:]))
        self._is_copied = False
        _placed.add(self)

    def _is_beside(self, sides: tuple[Identity | None, ...]) -> bool:
        """Whether one of the connection's own sides is not among `sides`. It has none before its first reading."""
        return any(own is not None and own != now for own, now in zip(self._opened[1:], sides, strict=True))

    def check_place(self) -> None:
        """Raise OperationalError if what this thread has open is not at its path, and cannot be opened again now."""
        self.ensure_connection()
        self._look()
        if self._opened and self._is_beside(tuple(map(identity, self._paths[1:]))):
            self._save_without_sides()

    def _cursor(self, name: str | None = None) -> Any:
        if not self.in_atomic_block:
            self._look()
        return super()._cursor(name)  # type: ignore[misc] # not in the stubs

    def _look(self) -> None:
        """Let go of a file that another one has taken the place of; raises OperationalError if there is none."""
        if self.connection is None or not self._opened or self.in_atomic_block:
            return
        now = identity(self._paths[0])
        if now == self._opened[0]:
            return
        if now is None:  # it may be put back
            raise OperationalError(REPLACED)
        self._let_go()

    def _let_go(self) -> None:
        """Close the connection, and leave nothing at the path that the new file would take for its own."""
        with _opening:
            with suppress(sqlite3.Error):  # what was committed goes with the old file, wherever that is now
                self._checkpoint()
            self._remove_sides()
        self.close()

    def _remove_sides(self) -> None:
        """Remove those of the SIDES at the path that belong to what is open."""
        for path, own in zip(self._paths[1:], self._opened[1:], strict=True):
            if own is not None and identity(path) == own:
                with suppress(OSError):
                    Path(path).unlink()

    def _checkpoint(self) -> bool:
        """Bring all that is committed from the write-ahead log to the file itself; whether that was possible."""
        with _patience(self.connection, CHECKPOINT_MILLISECONDS):
            (busy, _, _) = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def _commit(self) -> Any:
        result = super()._commit()  # type: ignore[misc]
        self._hold_committed()
        return result

    def _hold_committed(self) -> None:
        """After a commit: raise OperationalError unless it is in the file at the path, or in what belongs to it."""
        if self._opened and (now := tuple(map(identity, self._paths))) != self._opened:
            if now[0] != self._opened[0]:
                raise OperationalError(REPLACED)
            if self._is_beside(now[1:]):
                self._save_without_sides()
            else:
                self._opened = now

    def _save_without_sides(self) -> None:
        """Make durable what is in a write-ahead log that was removed; raises OperationalError if that cannot be done.

        Connections that are made from now on would have another one: this process ends, and gunicorn starts a new one.
        """
        try:
            saved = self._checkpoint()
        except sqlite3.Error as error:
            raise OperationalError(f"{REPLACED}: {error}") from error
        if self.settings_dict.get(SERVES):
            os.kill(os.getpid(), signal.SIGTERM)
        if not saved:
            raise OperationalError(REPLACED)

    def _close(self) -> Any:
        with _opening:  # another thread may be looking through them
            _placed.discard(self)
        self._opened = ()
        return super()._close()  # type: ignore[misc]
