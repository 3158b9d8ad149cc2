"""What the admin's first page says of the log at a glance, asked of the index in bounded steps."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import QuerySet

from logs.changelist import COUNTED
from logs.labels import labels
from logs.models import LogRecord
from logs.places import ordered
from statuslog.record import MEBIBYTE

SHOWN = 10  # services
STEP = timedelta(minutes=30)
STEPS = 48
SAMPLE = 10  # records of a step that are looked at for one that was measured
WIDTH, HEIGHT, MARGIN = 480, 60, 4


@dataclass(frozen=True, slots=True)
class ServiceSummary:
    name: str
    today: str
    latest: LogRecord


@dataclass(frozen=True, slots=True)
class Sparkline:
    """The free disk of the last day: a value for each half hour, as the path of an SVG."""

    path: str
    newest: str
    lowest: str
    highest: str
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True, slots=True)
class Summary:
    today: str
    services: list[ServiceSummary]
    more_services: bool
    disk: Sparkline | None


def summary(now: datetime) -> Summary | None:
    """The log in short; None when it is empty."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    names = labels("service")
    if not names:
        return None
    rows = LogRecord.objects.all()
    return Summary(
        today=_counted(rows.filter(timestamp__gte=midnight)),
        services=list(_services(names[:SHOWN], midnight)),
        more_services=len(names) > SHOWN,
        disk=_sparkline(now),
    )


def _services(names: list[str], midnight: datetime) -> Iterator[ServiceSummary]:
    for name in names:
        rows = LogRecord.objects.filter(service=name)
        latest = ordered(rows, newest_first=True).first()
        if latest:  # else it has just been deleted
            yield ServiceSummary(name, _counted(rows.filter(timestamp__gte=midnight)), latest)


def _counted(rows: QuerySet[LogRecord]) -> str:
    count = rows.order_by()[: COUNTED + 1].count()
    return f"{count:,}" if count <= COUNTED else f"over {COUNTED:,}"


def _sparkline(now: datetime) -> Sparkline | None:
    """None when nothing was measured."""
    values = dict(_values(now - STEP * STEPS, now))
    if not values:
        return None
    lowest, highest = min(values.values()), max(values.values())
    return Sparkline(
        path=_path(values, lowest, highest),
        newest=_mebibytes(values[max(values)]),
        lowest=_mebibytes(lowest),
        highest=_mebibytes(highest),
    )


def _mebibytes(size: int) -> str:
    return f"{size / MEBIBYTE:,.2f}"


def _values(since: datetime, until: datetime) -> Iterator[tuple[int, int]]:
    """The number of each step that has a measured value, and its first: from one to the next, over empty ones."""
    rows = ordered(LogRecord.objects.filter(timestamp__lt=until)).values_list("timestamp", "disk_free_bytes")
    begin = since
    while found := list(rows.filter(timestamp__gte=begin)[:SAMPLE]):
        step = (found[0][0] - since) // STEP
        begin = since + STEP * (step + 1)
        measured = [value for moment, value in found if moment < begin and value is not None]
        if measured:
            yield step, measured[0]


def _path(values: dict[int, int], lowest: int, highest: int) -> str:
    """A line through neighbouring steps; where nothing was measured it has a gap."""
    height = HEIGHT - 2 * MARGIN
    parts = []
    for step, value in values.items():
        x = MARGIN + step * (WIDTH - 2 * MARGIN) / (STEPS - 1)
        y = MARGIN + height * ((highest - value) / (highest - lowest) if highest > lowest else 0.5)
        # A step of no length makes a point visible that stands alone.
        parts.append(f"L{x:.1f} {y:.1f}" if step - 1 in values else f"M{x:.1f} {y:.1f}h0")
    return "".join(parts)
