"""The log in short, for service1's page: the latest record of each service, and what it measured, thinned."""

from datetime import datetime, timedelta
from typing import Any

from django.http import QueryDict

from logs.labels import labels
from logs.models import Edition, LogRecord
from logs.places import ordered
from logs.query import NUMBER_SCHEMA, Parameter, read
from logs.thinning import DRAWN, Point, thinned
from statuslog.record import FIELDS, Record, show_timestamp

SHOWN = 10  # services
ENDS = 20  # lines at each end of the log
NO_ENDS = {"edition": 0, "first": [], "last": []}
LONGEST_STEP = 31 * 24 * 3600  # seconds
MOST_POINTS = 500


def _from_one_to(largest: int, unit: str, name: str, description: str, default: int) -> Parameter:
    def number(value: str) -> int:
        if not (value.isascii() and value.isdigit() and len(value) < 10 and 1 <= int(value) <= largest):
            raise ValueError
        return int(value)

    schema = {**NUMBER_SCHEMA, "minimum": 1, "maximum": largest, "default": default}
    return Parameter(name, number, f"a whole number{unit}, 1 to {largest:,}", description, schema)


PARAMETERS = (
    _from_one_to(LONGEST_STEP, " of seconds", "step", "Seconds of a step; steps begin at their whole multiples.", 720),
    _from_one_to(MOST_POINTS, "", "points", "How many steps, up to now: each has up to three points.", 120),
)


def overview(given: QueryDict, now: datetime) -> list[dict[str, Any]]:
    """Of each service its latest record, and of each step the lowest, the highest and the last values. Raises
    RecordError."""
    asked = {known.name: known.schema["default"] for known in PARAMETERS} | read(given, PARAMETERS)
    step = timedelta(seconds=asked["step"])
    begins = Edition.log_begins()  # what is older is being deleted
    since = max(filter(None, (now - step * asked["points"], begins)))
    found = []
    for name in labels("service")[:SHOWN]:
        rows = LogRecord.objects.filter(service=name, **({"timestamp__gte": begins} if begins else {}))
        latest = ordered(rows, newest_first=True).first()
        if latest:  # else it has just been deleted
            series = [_shown(point) for point in thinned(name, since, now, step)]
            found.append({"service": name, "latest": _record(latest), "series": series})
    return found


def ends() -> dict[str, Any]:
    """The log's first and last lines, and its edition, so that service1 can compare them with its file's."""
    begins = Edition.log_begins()
    rows = LogRecord.objects.filter(timestamp__gte=begins) if begins else LogRecord.objects.all()
    first, last = (
        list(ordered(rows, newest_first=at_end).values_list("line", flat=True)[:ENDS]) for at_end in (False, True)
    )
    return {"edition": Edition.current(), "first": first, "last": last[::-1]}


def _shown(point: Point) -> dict[str, Any]:
    return {"timestamp": show_timestamp(point.timestamp), **{name: getattr(point, name) for name in DRAWN}}


def _record(row: LogRecord) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in FIELDS if name != "id"}
    return Record(id=row.record_id, **values).to_json()
