"""What keeps storage from its work, as the names of /readyz."""

import sqlite3
from collections.abc import Iterator
from functools import cache
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from statuslog import health, probe
from statuslog.database import engine
from statuslog.quantities import bytes_of

# With one of them there is no log to show.
UNREADABLE = {"migrations_pending", "database_replaced", "database_unreachable"}

WORDS = {
    "migrations_pending": "the database is older than the code (migrations_pending): ./manage_all.sh migrate",
    "database_replaced": "the database's file was removed or replaced (database_replaced); "
    "a record that has an id can be sent again without harm",
}


def database() -> Iterator[str]:
    """The database can be read, is the one at its path, and has all its tables."""
    try:
        engine.check_place()
        applied = MigrationRecorder(connection).applied_migrations().keys()
    except Error as error:
        if engine.trouble(error) == "replaced":
            yield "database_replaced"
        else:
            yield "database_unreachable"
        return
    if not applied:  # storage has made its tables before it began to serve
        yield "database_replaced"
    elif not _migrations() <= applied:
        yield "migrations_pending"


def why_not() -> str | None:
    """Why the database cannot be used now, where a person can do something about it; None if it is away or busy."""
    return next((WORDS[reason] for reason in database() if reason in WORDS), None)


@cache
def _migrations() -> frozenset[tuple[str, str]]:
    """App and name of all that this version has; to find that out takes far longer than to ask the database."""
    return frozenset(MigrationLoader(None).disk_migrations)


def disk() -> Iterator[str]:
    """There is room for more records."""
    if not has_room():
        yield "disk_low"


def has_room() -> bool:
    """The data's disk has MIN_FREE_BYTES free, or more, or does not say how much it has free.

    PostgreSQL's disk is not ours to see: it refuses by itself.
    """
    if connection.vendor != "sqlite":
        return True
    try:
        found = probe.disk_bytes(settings.DATA_DIR)
    except OSError:
        return False
    return found is None or found[0] >= bytes_of(settings.MIN_FREE_BYTES, found[1])


def data_disk() -> dict[str, int] | None:
    """What the data's disk has free, and how large it is; None if it does not say, or is PostgreSQL's."""
    try:
        found = probe.disk_bytes(settings.DATA_DIR) if connection.vendor == "sqlite" else None
    except OSError:
        return None
    return found and dict(zip(("disk_free_bytes", "disk_total_bytes"), found, strict=True))


def facts() -> dict[str, str]:
    """The database's version: what SQLite can corrupt depends on it (statuslog/sqlite/base.py)."""
    if connection.vendor == "sqlite":
        return {"sqlite": sqlite3.sqlite_version}
    try:
        major, minor = connection.get_database_version()
    except Error:
        return {}
    return {"postgresql": f"{major}.{minor}"}


def report() -> dict[str, Any]:
    """The same as /readyz answers."""
    return health.readiness((database, disk), facts)
