"""What storage relies on when PostgreSQL keeps the log, on a real server."""

import re
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from django.db import DatabaseError, Error, OperationalError, connection, transaction
from django.test import Client
from psycopg import errors

from logs import readiness, writer
from logs.models import LogRecord
from logs.serializers import records_from_text
from logs.writer import Post
from statuslog.database import DatabaseRefused, engine
from storage.postgres.base import TURN, DatabaseWrapper
from tests import postgres
from tests.storage.conftest import MOMENT
from tests.storage.test_get_log import reading

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.urls("storage.urls")]


def store(text: bytes = b"a") -> int:
    return writer.store(Post(records_from_text([text], MOMENT, None)))


@pytest.fixture
def another() -> Iterator[psycopg.Connection]:
    """Another replica's connection."""
    parameters = DatabaseWrapper(connection.settings_dict).get_connection_params()
    with psycopg.connect(**{**parameters, "autocommit": True, "cursor_factory": psycopg.Cursor}) as other:
        yield other


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("synchronous_commit", "on"),
        ("lock_timeout", "20s"),
        ("statement_timeout", "0"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("transaction_isolation", "read committed"),
        ("TimeZone", "UTC"),
    ],
)
def test_settings_of_a_session(name: str, value: str):
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        assert cursor.fetchone() == (value,)


# the turn


def test_who_does_not_get_the_turn_in_time_is_busy_and_nothing_is_stored(another: psycopg.Connection):
    with another.transaction():
        another.execute("SELECT pg_advisory_xact_lock(%s)", [TURN])
        started = time.monotonic()
        with pytest.raises(writer.Busy):
            store()
        assert 0.9 < time.monotonic() - started < 2
    assert store(b"b") == 1
    assert [row.line for row in LogRecord.objects.all()] == ["b"]


def test_the_short_patience_is_for_that_one_transaction():
    store()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
        assert cursor.fetchone() == ("20s", "0")


def test_rows_are_committed_in_their_order(another: psycopg.Connection):
    store()
    (first,) = LogRecord.objects.values_list("row", flat=True)
    stored = threading.Event()

    def store_and_say_so() -> None:
        store(b"later")
        connection.close()
        stored.set()

    with another.transaction():
        another.execute("SELECT pg_advisory_xact_lock(%s)", [TURN])
        (row,) = another.execute("SELECT nextval(pg_get_serial_sequence('logs_logrecord', 'row'))").fetchone() or ()
        threading.Thread(target=store_and_say_so).start()
        assert not stored.wait(0.2)
        assert LogRecord.objects.count() == 1
    assert stored.wait(5)
    assert list(LogRecord.objects.order_by("row").values_list("row", flat=True)) == [first, row + 1]


def test_nothing_to_insert_is_not_asked_of_the_server(django_assert_num_queries):
    connection.ensure_connection()
    with django_assert_num_queries(0):
        assert engine.insert(writer.TABLE, writer.COLUMNS, []) == 0


def test_the_turn_is_given_back_after_an_error(another: psycopg.Connection):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        _ = 1 / 0
    assert another.execute("SELECT pg_try_advisory_xact_lock(%s)", [TURN]).fetchone() == (True,)


def test_who_hangs_in_its_transaction_loses_the_turn(another: psycopg.Connection):
    with pytest.raises(Error), engine.transaction_timeout(0.2), transaction.atomic():
        LogRecord.objects.exists()
        another.execute("SELECT pg_advisory_xact_lock(%s)", [TURN])  # waits until the server has ended the other one
        LogRecord.objects.exists()
    connection.close()


def test_readers_are_not_held_up(another: psycopg.Connection):
    store()
    with another.transaction():
        another.execute("SELECT pg_advisory_xact_lock(%s)", [TURN])
        assert b"".join(reading()) == b"a\n"


def test_one_process_at_a_time_changes_tables():
    entered = threading.Event()

    def enter() -> None:
        with engine.alone():
            entered.set()
        connection.close()

    with engine.alone():
        threading.Thread(target=enter).start()
        assert not entered.wait(0.2)
    assert entered.wait(5)


# trouble


def test_a_connection_that_is_lost_is_away_and_the_next_one_works(another: psycopg.Connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    another.execute("SELECT pg_terminate_backend(%s)", [pid])
    with pytest.raises(writer.Away):
        store()
    connection.close()  # as at the end of a request
    assert store() == 1


def test_a_full_disk_of_the_server_is_507(post, another: psycopg.Connection):
    another.execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$"
        "BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$"
    )
    another.execute("CREATE TRIGGER full_disk BEFORE INSERT ON logs_logrecord EXECUTE FUNCTION full_disk()")
    try:
        answer = post("a")
    finally:
        another.execute("DROP FUNCTION full_disk CASCADE")
    assert (answer.status_code, answer.text) == (507, "the database's disk is full; nothing was stored\n")
    assert not LogRecord.objects.exists()


@pytest.mark.parametrize(
    ("cause", "trouble"),
    [
        (errors.LockNotAvailable, "busy"),
        (errors.QueryCanceled, "busy"),
        (errors.DeadlockDetected, "busy"),
        (errors.DiskFull, "full"),
        (errors.AdminShutdown, "away"),
        (errors.CannotConnectNow, "away"),
        (errors.TooManyConnections, "away"),
        (errors.ReadOnlySqlTransaction, "away"),
        (psycopg.OperationalError, "away"),
        (errors.UniqueViolation, None),
        (errors.SyntaxError, None),
    ],
)
def test_what_an_error_of_the_server_means(cause: type[psycopg.Error], trouble: str | None):
    error = OperationalError()
    error.__cause__ = cause()
    assert engine.trouble(error) == trouble


def test_another_error_is_no_trouble_of_the_server():
    assert engine.trouble(DatabaseError()) is None


# the database at the start


def test_a_database_of_another_program_is_refused():
    assert postgres.server
    name = postgres.server.new_database().rpartition("/")[2]
    other = DatabaseWrapper({**connection.settings_dict, "NAME": name})
    other.check()  # it is empty
    with other.cursor() as cursor:
        cursor.execute("CREATE TABLE recipes (name text)")
    with pytest.raises(DatabaseRefused, match=f"{name} is a database of another program"):
        other.check()
    other.close()


def test_a_server_that_is_not_there_is_named_in_one_line():
    away = DatabaseWrapper({**connection.settings_dict, "PORT": 9})
    with pytest.raises(DatabaseRefused, match=r"DATABASE_URL: connection .*refused") as refused:
        away.check()
    assert len(str(refused.value).splitlines()) == 1


def test_its_version_is_a_fact_and_its_disk_no_concern_of_ours(settings):
    settings.MIN_FREE_BYTES = 2**62
    assert list(readiness.disk()) == []
    assert list(readiness.facts()) == ["postgresql"]


# reading


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("", "log_order"),
        ("?order=desc", "log_order"),
        ("?tail=100", "log_order"),
        ("?since=2025-09-26T16:46:00Z&limit=100", "log_order"),
        ("?format=json&limit=1000", "log_order"),
        ("?service=s1&limit=100", "log_service"),
    ],
)
def test_a_page_can_be_searched_in_an_index_unsorted(
    client: Client, django_assert_max_num_queries, query: str, index: str
):
    LogRecord.objects.bulk_create(
        LogRecord(
            record_id=UUID(int=number),
            service=f"s{number % 50}",
            timestamp=MOMENT + timedelta(seconds=number),
            received_at=MOMENT,
            line="a line " * 20,
        )
        for number in range(500)
    )
    # In a transaction, as otherwise the connection, with its settings, is given back between the pages.
    with transaction.atomic(), connection.cursor() as cursor:
        # A log this small is sooner read whole and sorted. The question is what PostgreSQL can do with a large one.
        cursor.execute("ANALYZE logs_logrecord; SET enable_seqscan = off; SET enable_sort = off")
        with django_assert_max_num_queries(20) as queries:
            assert client.get(f"/log{query}").getvalue()
        for asked in queries:
            cursor.execute(f"EXPLAIN {asked['sql']}")
            plan = "\n".join(row for (row,) in cursor.fetchall())
            # The rows of one time are put in order as they come: an incremental sort, which costs nothing.
            assert not re.search(r"(?<!Incremental )Sort  ", plan), plan
        assert f"using {index}" in plan  # of the last page
        cursor.execute("RESET enable_seqscan; RESET enable_sort")
