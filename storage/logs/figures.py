"""The log and its database in figures, for `GET /metrics`: nothing is counted, so they cost the same at any size."""

from collections.abc import Iterator
from pathlib import Path

from django.db import connection
from django.db.models import Max, Min
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from logs.models import LogRecord


def log() -> Iterator[Metric]:
    """How much there is, about, and of when the last is."""
    # Two queries: SQLite finds one end of an index at once, but for two of them it reads all of it.
    last = LogRecord.objects.aggregate(row=Max("row"))["row"]
    first = LogRecord.objects.aggregate(row=Min("row"))["row"]
    rows = 0 if last is None else last - first + 1
    yield GaugeMetricFamily("statuslog_log_rows", "Records in the log; fewer, if a prune has left gaps", rows)
    newest = LogRecord.objects.aggregate(time=Max("timestamp"))["time"]
    if newest is not None:
        text = "The time of the last record, since 1970"
        yield GaugeMetricFamily("statuslog_log_newest_timestamp_seconds", text, newest.timestamp())


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
