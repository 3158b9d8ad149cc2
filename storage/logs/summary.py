"""What the admin's first page says of the log at a glance, asked of the index in bounded steps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter

from django.db.models import QuerySet

from logs.changelist import COUNTED
from logs.labels import labels
from logs.models import LogRecord
from logs.places import ordered
from logs.thinning import thinned
from statuslog import shown
from statuslog.record import EPOCH

SHOWN = 10  # services
DAY = timedelta(days=1)
STEP = timedelta(minutes=30)
WIDTH, HEIGHT, MARGIN = 480, 60, 4


@dataclass(frozen=True, slots=True)
class ServiceSummary:
    name: str
    today: str
    latest: LogRecord
    ago: str

    @property
    def shown(self) -> str:
        return shown.service(self.name)


@dataclass(frozen=True, slots=True)
class Sparkline:
    """The free disk of the last day: of each half hour the lowest and the highest, as the path of an SVG."""

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
        services=list(_services(names[:SHOWN], midnight, now)),
        more_services=len(names) > SHOWN,
        disk=_sparkline(names, now),
    )


def _services(names: list[str], midnight: datetime, now: datetime) -> Iterator[ServiceSummary]:
    for name in names:
        rows = LogRecord.objects.filter(service=name)
        latest = ordered(rows, newest_first=True).first()
        if latest:  # else it has just been deleted
            age = (now - latest.timestamp).total_seconds()
            ago = f"{shown.duration(age)} ago" if age >= 1 else "just now"
            yield ServiceSummary(name, _counted(rows.filter(timestamp__gte=midnight)), latest, ago)


def _counted(rows: QuerySet[LogRecord]) -> str:
    count = rows.order_by()[: COUNTED + 1].count()
    return f"{count:,}" if count <= COUNTED else f"over {COUNTED:,}"


def _sparkline(names: Sequence[str], now: datetime) -> Sparkline | None:
    """None when nothing was measured."""
    values = list(_values(names, now - DAY, now))
    if not values:
        return None
    sizes = [size for _, size in values]
    return Sparkline(
        path=_path(values, now - DAY),
        newest=shown.size(sizes[-1]),
        lowest=shown.size(min(sizes)),
        highest=shown.size(max(sizes)),
    )


def _values(names: Sequence[str], since: datetime, until: datetime) -> Iterator[tuple[datetime, int]]:
    """Of each step the lowest and the highest free disk of all services, and the newest of all, in order of time."""
    points = sorted(point for name in names for point in thinned(name, since, until, STEP))
    measured = [(point.timestamp, point.disk_free_bytes) for point in points if point.disk_free_bytes is not None]
    for _, each in groupby(measured, key=lambda one: (one[0] - EPOCH) // STEP):
        of_step = list(each)
        ends = {function(of_step, key=itemgetter(1)) for function in (min, max)}
        yield from sorted(ends | ({of_step[-1]} if of_step[-1] == measured[-1] else set()))


def _path(values: Sequence[tuple[datetime, int]], since: datetime) -> str:
    """A line through the values; where for a whole step nothing was measured it has a gap."""
    height = HEIGHT - 2 * MARGIN
    sizes = [size for _, size in values]
    lowest, highest = min(sizes), max(sizes)
    parts = []
    before: datetime | None = None
    for moment, size in values:
        x = MARGIN + (moment - since) / DAY * (WIDTH - 2 * MARGIN)
        y = MARGIN + height * ((highest - size) / (highest - lowest) if highest > lowest else 0.5)
        joined = before is not None and (moment - EPOCH) // STEP - (before - EPOCH) // STEP <= 1
        # A step of no length makes a point visible that stands alone.
        parts.append(f"L{x:.1f} {y:.1f}" if joined else f"M{x:.1f} {y:.1f}h0")
        before = moment
    return "".join(parts)
