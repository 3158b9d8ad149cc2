"""The running system that all contract tests share, its stores emptied for each of them."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from storage.postgres.base import TURN
from tests.processes import Services, running


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory, static_root: Path) -> Iterator[Services]:
    with running(tmp_path_factory.mktemp("system"), STATIC_ROOT=str(static_root)) as services:
        yield services


def database(services: Services) -> Any:
    """A connection of our own to storage's database, as another process has it; without transactions of its own."""
    if given := services.database():
        return psycopg.connect(given["DATABASE_URL"], autocommit=True)
    return sqlite3.connect(services.data_dir / "storage" / "db.sqlite3", isolation_level=None, timeout=10)


@contextmanager
def another_writer(services: Services) -> Iterator[None]:
    """Another process has its turn to write, and takes its time."""
    with closing(database(services)) as connection:
        connection.execute("BEGIN" if services.database() else "BEGIN IMMEDIATE")
        if services.database():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [TURN])
        yield
        connection.execute("ROLLBACK")


def emptied(system: Services) -> Services:
    """The three services with nothing in either store."""
    with closing(database(system)) as connection:
        connection.execute("DELETE FROM logs_logrecord")
    system.vstorage.write_bytes(b"")
    return system


@pytest.fixture
def services(system: Services) -> Services:
    return emptied(system)


Start = Callable[..., Services]


@contextmanager
def starting(folder: Path) -> Iterator[Start]:
    """A function that starts one service with settings of its own; what it has started is ended at the end."""
    started: list[tuple[Services, str]] = []

    def start(name: str, **settings: str) -> Services:
        services = Services(folder / f"{name}-{len(started)}", **settings)
        started.append((services, name))
        services.start(name, until="/healthz")
        return services

    try:
        yield start
    finally:
        for services, name in started:
            services.kill(name)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with starting(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def start_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    with starting(tmp_path_factory.mktemp("alone")) as start:
        yield start
