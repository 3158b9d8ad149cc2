"""The outbox on a real SQLite file."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import connection

from statuslog.outbox.models import OutboxRecord
from statuslog.outbox.store import Outbox
from statuslog.record import LineStyle, Measurement, Record, make
from statuslog.recorder import OutboxError

pytestmark = pytest.mark.django_db

LATER = datetime(2099, 1, 1, tzinfo=UTC)
MOMENT = datetime(2025, 9, 26, 16, 45, 6, 123456, tzinfo=UTC)


def records(count: int) -> list[Record]:
    measured = Measurement(host_uptime_seconds=32065.2, disk_free_bytes=37_966_420_213)
    return [
        make(
            service="service1",
            instance="a",
            timestamp=MOMENT + timedelta(microseconds=number),
            measurement=measured,
            style=LineStyle(),
        )
        for number in range(count)
    ]


def test_it_gives_back_what_was_put_in_oldest_first():
    outbox, given = Outbox(most=10), records(3)
    outbox.put(given[:2])
    outbox.put(given[2:])
    assert list(outbox.oldest(10).values()) == given
    assert list(outbox.oldest(2).values()) == given[:2]


def test_what_was_delivered_is_forgotten():
    outbox = Outbox(most=10)
    outbox.put(records(3))
    rows = list(outbox.oldest(2))
    outbox.remove(rows)
    assert outbox.counts() == {"waiting": 1, "refused": 0}
    assert not outbox.is_empty()
    outbox.remove(list(outbox.oldest(2)))
    assert outbox.is_empty()


def test_what_was_refused_no_longer_waits_but_is_shown():
    outbox = Outbox(most=10)
    outbox.put(records(2))
    first, second = outbox.oldest(2)
    outbox.refuse(first, "409: another one")
    assert list(outbox.oldest(2)) == [second]
    assert outbox.counts() == {"waiting": 1, "refused": 1}
    assert OutboxRecord.objects.get(row=first).refused == "409: another one"


def test_at_its_bound_it_takes_nothing_of_a_batch():
    outbox = Outbox(most=3)
    outbox.put(records(2))
    with pytest.raises(OutboxError, match=r"full \(OUTBOX_MAX_RECORDS=3\)"):
        outbox.put(records(2))
    assert outbox.counts()["waiting"] == 2
    outbox.put(records(1))


def test_the_bound_counts_the_records_that_are_there():
    """One that was refused long ago stays, and those that came after it were delivered."""
    outbox = Outbox(most=3)
    outbox.put(records(1))
    outbox.refuse(next(iter(outbox.oldest(1))), "409: another one")
    for _ in range(3):
        outbox.put(records(2))
        with pytest.raises(OutboxError, match="full"):
            outbox.put(records(1))
        outbox.remove(list(outbox.oldest(2)))
    assert outbox.counts() == {"waiting": 0, "refused": 1}


def test_what_is_deferred_waits_for_its_time():
    outbox, given = Outbox(most=10), records(3)
    outbox.put(given)
    first, second, third = outbox.oldest(3)
    OutboxRecord.objects.filter(row=first).update(record=replace(given[0], timestamp=LATER).to_json())
    outbox.defer(first, datetime.now(UTC) + timedelta(hours=1))
    outbox.defer(second, datetime.now(UTC))
    assert list(outbox.oldest(9)) == [third]
    assert list(outbox.late(9)) == [second]
    assert outbox.has_early()
    assert not outbox.is_empty()
    outbox.defer(first, datetime.now(UTC))
    outbox.defer(second, datetime.now(UTC) + timedelta(minutes=1))  # one that is too long for storage
    assert not outbox.has_early()
    outbox.defer(first, datetime.now(UTC) + timedelta(hours=1))
    outbox.remove([second, third])
    assert outbox.is_empty()
    assert outbox.counts() == {"waiting": 1, "refused": 0}


def test_a_record_that_cannot_be_read_is_in_nobody_s_way():
    outbox, given = Outbox(most=10), records(2)
    outbox.put(given)
    first, second = outbox.oldest(2)
    OutboxRecord.objects.filter(row=first).update(record={**given[0].to_json(), "of_a_newer_version": 1})
    assert list(outbox.oldest(2)) == [second]
    assert outbox.counts() == {"waiting": 1, "refused": 1}
    assert "unknown field 'of_a_newer_version'" in OutboxRecord.objects.get(row=first).refused


def test_a_database_that_fails_is_an_outbox_error():
    with connection.execute_wrapper(_broken), pytest.raises(OutboxError, match="cannot be written: disk I/O error"):
        Outbox(most=3).put(records(1))


def _broken(execute, sql, params, many, context):
    from django.db import OperationalError

    raise OperationalError("disk I/O error")


@pytest.mark.django_db(transaction=True)
def test_reset_empties_it(capsys: pytest.CaptureFixture[str]):
    from statuslog.outbox.management.commands.reset import Command

    Outbox(most=10).put(records(3))
    call_command(Command(), "--yes")
    assert capsys.readouterr().out == "deleted 3 records of the outbox\n"
    assert OutboxRecord.objects.count() == 0
