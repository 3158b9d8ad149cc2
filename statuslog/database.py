"""What the services ask of their database, whichever engine it is: SQLite, or for storage PostgreSQL."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol, cast

from django.db import Error, connection

# Others write for too long; its disk is full; it cannot be reached, or cannot be read or written at all; its file was
# removed or replaced while it was open.
# And "outdated": it lacks what this version of the code asks for.
Trouble = Literal["busy", "full", "away", "replaced", "outdated"]


class DatabaseRefused(Exception):
    """A database that the system cannot work with; the text says why."""


class Engine(Protocol):
    """What the two engines do each in its own way (statuslog/sqlite/base.py, storage/storage/postgres/base.py).

    On both a transaction (`transaction.atomic`) has its turn from its beginning to its end: one writer at a time.
    """

    def transaction_timeout(self, seconds: float) -> AbstractContextManager[None]:
        """In the block a transaction waits for its turn for no longer; then it raises OperationalError."""

    def alone(self) -> AbstractContextManager[None]:
        """One process at a time is in the block, to make or change tables."""

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, unless: str = "") -> int:
        """Insert the rows in their order, but for those whose value of the column `unless` is there already; returns
        how many were inserted."""

    def check(self) -> None:
        """Refuse what is damaged or somebody else's before anything writes to it; raises DatabaseRefused."""

    def check_place(self) -> None:
        """Raise OperationalError if what this thread has open was removed or replaced, and cannot be opened again now.
        A commit that comes to such a database is an error of the same kind."""

    def trouble(self, error: Error) -> Trouble | None:
        """What keeps the database from its work, if that is what the error tells."""


engine = cast(Engine, connection)  # the calling thread's own, as `connection` is
