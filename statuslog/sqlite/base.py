"""Django's SQLite engine with a gate before each transaction: one writer at a time, in turn, of all processes.

SQLite's own waiting is unfair: it tries again after growing pauses, and under 64 writers some wait for seconds.
And with one writer at a time no connection writes while another checkpoints, which can corrupt a database in
WAL mode on SQLite before 3.51.3, 3.50.7 and 3.44.6 (https://sqlite.org/wal.html#walresetbug).
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import DatabaseError, Error
from django.db.utils import OperationalError

from statuslog import filelock
from statuslog.database import Trouble
from statuslog.sqlite import check_file, placed, reserve

# SQLite has few classes of error for them, and these words.
_TROUBLES: dict[str, Trouble] = {
    "locked": "busy",
    "disk is full": "full",
    "unable to open": "away",
    "no such table": "away",
    "no such column": "outdated",
    "has no column": "outdated",
    placed.REPLACED: "replaced",
    "not a database": "away",
    "malformed": "away",
}


class DatabaseWrapper(placed.DatabaseWrapper):
    """A transaction holds flock(2) on `<database>.lock` from its BEGIN to its end."""

    _gate: int | None = None
    _gate_timeout: float | None = None

    @contextmanager
    def transaction_timeout(self, seconds: float) -> Iterator[None]:
        """In the block a transaction waits for its turn for no longer; then it raises OperationalError."""
        self._gate_timeout = seconds
        self.ensure_connection()
        # The gate is ours; a program that knows nothing of it may hold SQLite's own lock.
        self._set_busy_timeout(seconds)
        try:
            yield
        finally:
            self._gate_timeout = None
            self._set_busy_timeout(self._usual_timeout())

    def _set_busy_timeout(self, seconds: float) -> None:
        if self.connection is not None:
            self.connection.execute(f"PRAGMA busy_timeout={int(seconds * 1000)}")

    @contextmanager
    def turn(self) -> Iterator[sqlite3.Connection]:
        """Hold the gate without a transaction, for what SQLite does outside of one only; not within `atomic`."""
        self.ensure_connection()
        self._look()
        self.ensure_connection()
        self._enter()
        try:
            yield self.connection
            self._hold_committed()
        finally:
            self._leave()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One process at a time is in the block; the others wait, as a migration may take long."""
        file = Path(self.settings_dict["NAME"])
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.with_name(f"{file.name}.prepare").open("a") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            yield

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, unless: str = "") -> int:
        """Insert the rows in their order, but for those whose value of the column `unless` is there already; returns
        how many were inserted."""
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"  # noqa: S608
        with self.cursor() as cursor:
            cursor.executemany(f"{sql} ON CONFLICT ({unless}) DO NOTHING" if unless else sql, rows)
            return int(max(cursor.rowcount, 0))  # -1 when there was nothing to do

    def check(self) -> None:
        """Refuse a file that is damaged or of another program; raises SqliteError. Make it its owner's alone."""
        file = Path(self.settings_dict["NAME"])
        reserve.hold(file)
        check_file(file)
        placed.make_private(file)

    def trouble(self, error: Error) -> Trouble | None:
        """What keeps the database from its work, if that is what the error tells."""
        if not isinstance(error, DatabaseError):
            return None
        return next((trouble for words, trouble in _TROUBLES.items() if words in str(error)), None)

    def _usual_timeout(self) -> float:
        return float(self.settings_dict["OPTIONS"].get("timeout", 5))

    def _start_transaction_under_autocommit(self) -> None:
        self._look()
        self.ensure_connection()
        self._enter()
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc] # not in the stubs
        except BaseException:
            self._leave()
            raise

    def _commit(self) -> Any:
        result = super()._commit()
        self._leave()  # not when the commit failed: then a rollback follows
        return result

    def _rollback(self) -> Any:
        try:
            return super()._rollback()  # type: ignore[misc]
        finally:
            self._leave()

    def _close(self) -> Any:
        try:
            return super()._close()
        finally:
            self._leave()

    def _enter(self) -> None:
        if self._gate is not None or self.is_in_memory_db():
            return
        timeout = self._usual_timeout() if self._gate_timeout is None else self._gate_timeout
        try:
            gate = os.open(f"{self.settings_dict['NAME']}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OperationalError(f"unable to open the database's lock file: {error.strerror}") from error
        try:
            filelock.lock(gate, timeout)
        except TimeoutError:
            os.close(gate)
            raise OperationalError(f"database is locked: its turn did not come within {timeout:.1f} s") from None
        self._gate = gate

    def _leave(self) -> None:
        if self._gate is not None:
            os.close(self._gate)
            self._gate = None
