"""The log and its database in figures, for `GET /metrics`: they cost the same at any size, as no more is counted than
COUNTED."""

from collections.abc import Iterator
from pathlib import Path

from django.db import connection
from django.db.models import Max, Min
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from logs.models import LogRecord

COUNTED = 10_000  # rows, which takes a millisecond
SAMPLE = 1000  # numbers of rows


def log() -> Iterator[Metric]:
    """How much there is, and of when the last is."""
    text = f"Records in the log; beyond {COUNTED:,} an estimate"
    yield GaugeMetricFamily("statuslog_log_rows", text, _rows())
    newest = LogRecord.objects.aggregate(time=Max("timestamp"))["time"]
    if newest is not None:
        text = "The time of the last record, since 1970"
        yield GaugeMetricFamily("statuslog_log_newest_timestamp_seconds", text, newest.timestamp())


def _rows() -> int:
    """The number of rows, or an estimate of one that is larger than COUNTED."""
    count = LogRecord.objects.order_by()[: COUNTED + 1].count()
    if count <= COUNTED:
        return count
    # Two queries: SQLite finds one end of an index at once, but for two of them it reads all of it.
    last = LogRecord.objects.aggregate(row=Max("row"))["row"]
    first = LogRecord.objects.aggregate(row=Min("row"))["row"]
    # Numbers have gaps: of records that were known already, that were removed. How many there are is seen at some.
    numbers: int = last - first + 1
    sample = [first + numbers * number // SAMPLE for number in range(SAMPLE)]
    return max(count, numbers * LogRecord.objects.order_by().filter(row__in=sample).count() // SAMPLE)


def database() -> Iterator[Metric]:
    """The room that it takes; of PostgreSQL without the write-ahead log, which is the server's."""
    size = GaugeMetricFamily("statuslog_database_bytes", "The size of the log's database", labels=["part"])
    if connection.vendor == "sqlite":
        main = Path(connection.settings_dict["NAME"])
        wal = main.with_name(f"{main.name}-wal")
        size.add_metric(["main"], main.stat().st_size)
        size.add_metric(["wal"], wal.stat().st_size if wal.exists() else 0)
    else:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            size.add_metric(["main"], cursor.fetchone()[0])
    yield size
