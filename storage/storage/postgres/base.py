"""Django's PostgreSQL engine with a lock over each transaction: one writer at a time, in turn, of all replicas.

PostgreSQL lets writers work side by side, and a row number is drawn before its transaction is committed: a reader
could see row 8, take it for the newest, and never get row 7. With the lock the rows are committed in their order, and
between the look at the fence and the insert nobody else writes. Readers are not held up.
"""

import json
import select
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any

import psycopg
from django.db import Error, InterfaceError, OperationalError
from django.db.backends.postgresql import base

from statuslog.database import DatabaseRefused, Trouble

# Numbers that the programs which use one database must not share by chance: the letters of a name.
TURN = int.from_bytes(b"statuslo")
MIGRATION = TURN + 1

# The classes and codes of https://www.postgresql.org/docs/current/errcodes-appendix.html
BUSY = ("55P03", "57014", "40P01")  # lock not available, canceled (statement_timeout), deadlock
FULL = ("53100",)
OUTDATED = ("42703", "42P01")  # undefined column, undefined table
AWAY = ("08", "57P", "53300", "25006")  # connections, (being) shut down, too many connections, read only


class DatabaseWrapper(base.DatabaseWrapper):
    """A transaction holds an advisory lock from its BEGIN until it is committed and to be seen, or rolled back."""

    _seconds: float | None = None

    @contextmanager
    def transaction_timeout(self, seconds: float) -> Iterator[None]:
        """In the block a transaction waits for its turn, and for each statement, for no longer."""
        self._seconds = seconds
        try:
            yield
        finally:
            self._seconds = None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One process at a time is in the block; the others wait, as a migration may take long."""
        parameters = self.get_connection_params() | {"autocommit": True}
        with self.wrap_database_errors, closing(psycopg.connect(**parameters)) as connection:
            connection.execute("SET lock_timeout = 0")
            connection.execute("SELECT pg_advisory_lock(%s)", [MIGRATION])
            yield

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """A connection; of the pool one that works. After a restart of the server none of those in the pool does, and
        the pool's own check gives up after the second."""
        connection = super().get_new_connection(conn_params)
        if self.pool and _is_cut(connection):
            self.pool.putconn(connection)
            self.pool.drain()
            connection = super().get_new_connection(conn_params)
        return connection

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, unless: str = "") -> int:
        """Insert the rows in their order, but for those whose value of the column `unless` is there already; returns
        how many were inserted."""
        if not rows:  # as in a POST that is repeated
            return 0
        # As one JSON, of which the server knows the types by the table: half the time of a statement a row.
        names = ", ".join(columns)
        source = f"json_populate_recordset(NULL::{table}, %s) WITH ORDINALITY ORDER BY ordinality"
        sql = f"INSERT INTO {table} ({names}) SELECT {names} FROM {source}"  # noqa: S608
        values = json.dumps([dict(zip(columns, row, strict=True)) for row in rows], default=str)
        with self.cursor() as cursor:
            cursor.execute(f"{sql} ON CONFLICT ({unless}) DO NOTHING" if unless else sql, [values])
            return int(cursor.rowcount)

    def check(self) -> None:
        """Refuse a database of another program; raises DatabaseRefused."""
        try:
            tables = self.introspection.table_names()
        except Error as error:
            raise DatabaseRefused(f"DATABASE_URL: {str(error).partition(chr(10))[0]}") from error
        if tables and "django_migrations" not in tables:
            name = self.settings_dict["NAME"]
            raise DatabaseRefused(f"DATABASE_URL: {name} is a database of another program; make one for statuslog")

    def check_place(self) -> None:
        """Nothing to look at: the server sees to its files."""

    def trouble(self, error: Error) -> Trouble | None:
        """What keeps the database from its work, if that is what the error tells."""
        code = getattr(error.__cause__, "sqlstate", None)
        if code is None:  # no error of the server: it cannot be reached, or no connection was free
            return "away" if isinstance(error, OperationalError | InterfaceError) else None
        if code in BUSY:
            return "busy"
        if code in FULL:
            return "full"
        if code in OUTDATED:
            return "outdated"
        return "away" if code.startswith(AWAY) else None

    def _set_autocommit(self, autocommit: bool) -> None:
        super()._set_autocommit(autocommit)  # type: ignore[misc] # not in the stubs
        if autocommit:
            return
        try:
            self._take_turn()
        except BaseException:
            with suppress(Error):
                self.rollback()
                super()._set_autocommit(True)  # type: ignore[misc]
            raise

    def _take_turn(self) -> None:
        """Wait for the lock, which PostgreSQL gives in the order of asking."""
        with self.wrap_database_errors, self.connection.cursor() as cursor:
            cursor.execute(self._turn_sql(), [TURN])

    def _turn_sql(self) -> str:
        lock = "pg_advisory_xact_lock(%s)"
        if self._seconds is None:
            return f"SELECT {lock}"
        # From left to right: the lock is waited for with the limit that is set before it.
        names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
        limits = ", ".join(f"set_config('{name}', '{self._seconds * 1000:.0f}', true)" for name in names)
        return f"SELECT {limits}, {lock}"


def _is_cut(connection: psycopg.Connection) -> bool:
    """Whether the server has ended an idle connection. It says so unasked, so most are not even asked."""
    poller = select.poll()
    poller.register(connection.fileno(), select.POLLIN)
    if not poller.poll(0):
        return False
    try:
        connection.execute("")
    except psycopg.Error:
        return True
    return False  # it had something else to say, such as a changed setting
