"""The log in short, for service1's page: the latest record of each service, and what it measured, thinned.

However long the log is, a series costs a search of the index for each of its points, and no more.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.http import QueryDict

from logs.labels import labels
from logs.models import Edition, LogRecord
from logs.places import ordered
from logs.query import NUMBER_SCHEMA, Parameter, read
from statuslog.record import EPOCH, FIELDS, Record, show_timestamp

SHOWN = 10  # services
LONGEST_STEP = 31 * 24 * 3600  # seconds
MOST_POINTS = 500
DRAWN = ("host_uptime_seconds", "container_uptime_seconds", "disk_free_bytes")


def _from_one_to(largest: int, unit: str, name: str, description: str, default: int) -> Parameter:
    def number(value: str) -> int:
        if not (value.isascii() and value.isdigit() and len(value) < 10 and 1 <= int(value) <= largest):
            raise ValueError
        return int(value)

    schema = {**NUMBER_SCHEMA, "minimum": 1, "maximum": largest, "default": default}
    return Parameter(name, number, f"a whole number{unit}, 1 to {largest:,}", description, schema)


PARAMETERS = (
    _from_one_to(LONGEST_STEP, " of seconds", "step", "Seconds of a step; steps begin at their whole multiples.", 720),
    _from_one_to(MOST_POINTS, "", "points", "How many steps, up to now: each has a point, if it has a record.", 120),
)


def overview(given: QueryDict, now: datetime) -> list[dict[str, Any]]:
    """Of each service its latest record, and of each step the last one's values. Raises RecordError."""
    asked = {known.name: known.schema["default"] for known in PARAMETERS} | read(given, PARAMETERS)
    step = timedelta(seconds=asked["step"])
    end = EPOCH + step * ((now - EPOCH) // step + 1)
    begins = Edition.log_begins()
    bounds = [(end - step * number, end - step * (number - 1)) for number in range(asked["points"], 0, -1)]
    if begins:  # what is older is being deleted
        bounds = [(max(low, begins), high) for low, high in bounds if high > begins]
    found = []
    for name in labels("service")[:SHOWN]:
        rows = LogRecord.objects.filter(service=name, **({"timestamp__gte": begins} if begins else {}))
        latest = ordered(rows, newest_first=True).first()
        if latest:  # else it has just been deleted
            found.append({"service": name, "latest": _record(latest), "series": _series(name, bounds)})
    return found


def _series(service: str, bounds: list[tuple[datetime, datetime]]) -> list[Mapping[str, Any]]:
    """The values of the last record between each two times."""
    if not bounds:
        return []
    # By hand, as one query: a hundred of Django's take as long as all the rest.
    pairs = ", ".join(["(%s, %s)"] * len(bounds))
    within = "service = %s AND timestamp >= low AND timestamp < high"
    last = f"SELECT row FROM logs_logrecord WHERE {within} ORDER BY timestamp DESC, row DESC LIMIT 1"  # noqa: S608
    sql = f"WITH step(low, high) AS (VALUES {pairs}) SELECT ({last}) FROM step"  # noqa: S608
    times = [connection.ops.adapt_datetimefield_value(time) for pair in bounds for time in pair]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*times, service])
        rows = [row for (row,) in cursor.fetchall() if row is not None]
    points = ordered(LogRecord.objects.filter(row__in=rows)).values("timestamp", *DRAWN)
    return [{**point, "timestamp": show_timestamp(point["timestamp"])} for point in points]


def _record(row: LogRecord) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in FIELDS if name != "id"}
    return Record(id=row.record_id, **values).to_json()
