"""Migrations: complete, and noticed when one is missing."""

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from logs import readiness

pytestmark = pytest.mark.django_db


def test_the_models_and_the_migrations_agree():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_a_migrated_database_is_ready():
    assert list(readiness.database()) == []


def test_a_missing_migration_is_named():
    (newest,) = MigrationExecutor(connection).loader.graph.leaf_nodes("logs")
    MigrationRecorder(connection).record_unapplied(*newest)
    assert list(readiness.database()) == ["migrations_pending"]


def test_a_database_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch):
    def broken(*args: object) -> None:
        raise DatabaseError("file is not a database")

    monkeypatch.setattr(readiness, "MigrationRecorder", broken)
    assert list(readiness.database()) == ["database_unreachable"]
