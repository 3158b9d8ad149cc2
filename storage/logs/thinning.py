"""The measured values of one service over a time, thinned: of each step the lowest and highest free disk and the last.

The extremes are exact, since a minimum that is left out is the one that somebody looks for. The index `log_disk`
holds each service's records by ten minutes, and within them by free disk, so the lowest of ten minutes is one search:
docs/adr/0019-extremes.md. The answer costs the same however many records a step has.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

from django.db import connection
from django.db.models import DateTimeField, Func

from statuslog.record import EPOCH

PART = timedelta(minutes=10)  # what `TenMinutes` groups by
MOST_PARTS = 5000  # with records, of which the extremes are looked for, the newest first: a month has 4,320
LOOKED_THROUGH = 20_000  # records of a part, from its lowest (highest) on, for one that is within the time
SCANNED = 2000  # records of a step that is shorter than a part, the newest first
DRAWN = ("host_uptime_seconds", "container_uptime_seconds", "disk_free_bytes")

Bounds = Sequence[tuple[datetime, datetime]]


class TenMinutes(Func):
    """The ten minutes that a time lies in, as the index `log_disk` has them."""

    output_field = DateTimeField()
    SQL: ClassVar = {
        "sqlite": "substr({}, 1, 15)",
        "postgresql": "date_bin('10 minutes', {}, TIMESTAMPTZ '2000-01-01 00:00:00+00')",
    }

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **context: Any) -> Any:
        template = self.SQL[connection.vendor].format("%(expressions)s")
        return super().as_sql(compiler, connection, template=template)


class Point(NamedTuple):
    """What one record measured."""

    timestamp: datetime
    row: int
    host_uptime_seconds: float | None
    container_uptime_seconds: float | None
    disk_free_bytes: int | None


def thinned(service: str, since: datetime, until: datetime, step: timedelta) -> list[Point]:
    """Up to three records of each step, in the log's order: those with the lowest and the highest free disk, the last.

    From `since` on, before `until`. Steps begin at the whole multiples of their length, so that a point stays where
    it is. Exact, up to the bounds that stand above. The newest record that has measured the disk is always there.
    """
    if since >= until:
        return []
    steps = _steps(since, until, step)
    rows = _last(service, steps)
    found = _extremes(service, since, until)
    if step < PART:
        found += _extremes_of_steps(service, steps)
    measured = _points(found)
    kept = {point.row: point for each in _by_step(measured, step) for point in each}
    kept |= {point.row: point for point in _points([*rows, *_newest(service, measured, until)])}
    return sorted(kept.values())


def _steps(since: datetime, until: datetime, step: timedelta) -> Bounds:
    """The steps; the first and the last one are cut to the time."""
    begin = EPOCH + step * ((since - EPOCH) // step)
    count = -((begin - until) // step)
    edges = [since, *(begin + step * number for number in range(1, count)), until]
    return list(pairwise(edges))


def _by_step(points: Iterable[Point], step: timedelta) -> Iterable[tuple[Point, Point]]:
    """The lowest and the highest of each step."""
    steps: dict[int, list[Point]] = {}
    for point in points:
        steps.setdefault((point.timestamp - EPOCH) // step, []).append(point)
    for each in steps.values():
        # Of equal ones the newest: it is mostly the step's last, too.
        yield (
            min(each, key=lambda point: (point.disk_free_bytes, EPOCH - point.timestamp)),
            max(each, key=lambda point: (point.disk_free_bytes, point.timestamp)),
        )


# By hand, and as one query for all steps: a hundred of Django's take as long as all the rest.
WITHIN = "service = %s AND timestamp >= low AND timestamp < high"
NEWEST = "ORDER BY timestamp DESC, row DESC"
WAYS = ("ASC", "DESC")  # to the lowest, to the highest


def _last(service: str, steps: Bounds) -> list[int]:
    """The row of the last record of each step."""
    last = f"SELECT row FROM logs_logrecord WHERE {WITHIN} {NEWEST} LIMIT 1"  # noqa: S608
    return _of_each(steps, [last], [service])


def _extremes_of_steps(service: str, steps: Bounds) -> list[int]:
    """The rows with the lowest and the highest value of each step, of the `SCANNED` newest."""
    some = f"SELECT row, disk_free_bytes FROM logs_logrecord WHERE {WITHIN} AND disk_free_bytes IS NOT NULL {NEWEST}"  # noqa: S608
    asked = [
        f"SELECT row FROM ({some} LIMIT {SCANNED}) AS found ORDER BY disk_free_bytes {way} LIMIT 1"  # noqa: S608
        for way in WAYS
    ]
    return _of_each(steps, asked, [service, service])


def _of_each(steps: Bounds, asked: Sequence[str], values: Sequence[Any]) -> list[int]:
    pairs = ", ".join(["(%s, %s)"] * len(steps))
    wanted = ", ".join(f"({one})" for one in asked)
    times = [_kept(time) for bounds in steps for time in bounds]
    return _rows(f"WITH step(low, high) AS (VALUES {pairs}) SELECT {wanted} FROM step", [*times, *values])  # noqa: S608


def _extremes(service: str, since: datetime, until: datetime) -> list[int]:
    """The rows with the lowest and the highest value of each ten minutes that have records: from one to the one
    before, over those without."""
    sql = TenMinutes.SQL[connection.vendor]
    part, first, last = sql.format("timestamp"), sql.format(_time()), sql.format(_time())
    before = f"SELECT {part} FROM logs_logrecord WHERE service = %s AND {part} >= {first} AND {part}"  # noqa: S608
    ends = [
        f"(SELECT row FROM (SELECT row, timestamp FROM logs_logrecord WHERE service = %s AND {part} = part.at"  # noqa: S608
        f" AND disk_free_bytes IS NOT NULL ORDER BY disk_free_bytes {way} LIMIT {LOOKED_THROUGH}) AS found"
        " WHERE timestamp >= %s AND timestamp < %s LIMIT 1)"
        for way in WAYS
    ]
    sql = (
        f"WITH RECURSIVE part(at) AS (SELECT ({before} <= {last} ORDER BY {part} DESC LIMIT 1)"  # noqa: S608
        f" UNION ALL SELECT ({before} < part.at ORDER BY {part} DESC LIMIT 1) FROM part WHERE at IS NOT NULL)"
        f" SELECT {', '.join(ends)} FROM part WHERE at IS NOT NULL LIMIT {MOST_PARTS}"
    )
    low, high = _kept(since), _kept(until)
    return _rows(sql, [service, low, high, service, low, *[service, low, high] * 2])


def _newest(service: str, measured: Sequence[Point], until: datetime) -> list[int]:
    """The row of the newest record that has measured the disk. It lies in the same ten minutes as the newest that is
    known, so not many without a value lie in between."""
    known = max((point.timestamp for point in measured), default=None)
    if known is None:
        return []
    end = min(until, EPOCH + PART * ((known - EPOCH) // PART + 1))
    newest = (
        "SELECT row FROM logs_logrecord WHERE service = %s AND timestamp >= %s AND timestamp < %s"
        " AND disk_free_bytes IS NOT NULL ORDER BY timestamp DESC, row DESC LIMIT 1"
    )
    return _rows(newest, [service, _kept(known), _kept(end)])


def _points(rows: Sequence[int]) -> list[Point]:
    if not rows:
        return []
    places = ", ".join(["%s"] * len(rows))
    sql = f"SELECT timestamp, row, {', '.join(DRAWN)} FROM logs_logrecord WHERE row IN ({places})"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, rows)
        return [Point(time.replace(tzinfo=UTC), *values) for time, *values in cursor.fetchall()]


def _rows(sql: str, values: Sequence[Any]) -> list[int]:
    """What the query finds, in whichever column."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [row for found in cursor.fetchall() for row in found if row is not None]


def _kept(time: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(time)


def _time() -> str:
    """A time among the values of a query, of which the database has to know the type."""
    return "CAST(%s AS timestamp with time zone)" if connection.vendor == "postgresql" else "%s"
