"""Migrations: complete, and noticed when one is missing."""

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from logs import readiness
from logs.models import Edition

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


PENDING = "the database is older than the code (migrations_pending): ./manage_all.sh migrate"


@pytest.fixture
def older() -> Iterator[None]:
    """The database of before a column was added."""
    field = Edition._meta.get_field("pruned_before")
    MigrationRecorder(connection).record_unapplied("logs", "0005_pruned_before")
    with connection.schema_editor() as editor:
        editor.remove_field(Edition, field)
    yield
    with connection.schema_editor() as editor:
        editor.add_field(Edition, field)
    MigrationRecorder(connection).record_applied("logs", "0005_pruned_before")


@pytest.mark.urls("storage.urls")
@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_older_than_the_code_is_503_with_the_reason(older: None, client: Client):
    client.raise_request_exception = False
    answer = client.get("/log")
    assert (answer.status_code, answer.content.decode()) == (503, f"{PENDING}\n")
    answer = client.get("/log", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["detail"]) == (503, PENDING)
    assert client.get("/log?follow=1").status_code == 503
    overview = client.get("/overview").json()
    assert (overview["readiness"]["reasons"], overview["services"]) == (["migrations_pending"], [])


@pytest.mark.urls("storage.urls")
@pytest.mark.django_db(transaction=True)
def test_a_post_to_an_older_database_is_503_with_the_reason(client: Client):
    MigrationRecorder(connection).record_unapplied("logs", "0002_fence")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE logs_fence RENAME TO away")
    try:
        answer = client.post("/log", "a", "text/plain")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO logs_fence")
        MigrationRecorder(connection).record_applied("logs", "0002_fence")
    assert (answer.status_code, answer.content.decode()) == (503, f"{PENDING}\n")
