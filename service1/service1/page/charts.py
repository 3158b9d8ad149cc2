"""The geometry of the page's charts, as plain SVG of 1000 units' width that the page stretches."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from service1.page import words
from statuslog import shown
from statuslog.record import EPOCH

WIDTH, HEIGHT = 1000, 200
GAP = 8  # of the span's so manieth part: what lies further apart is not joined by a line
DOTS = 40  # points, up to which each is marked
FLAT = 0.01  # of the value: the least that the axis shows, so that a few kilobytes do not look like a mountain
SAME_START = 10  # seconds by which a start may be measured differently, as the clock is corrected


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time that can be looked at: `points` steps of `step` seconds, and how its times are written."""

    name: str
    step: int
    points: int
    form: str


SPANS = {
    span.name: span
    for span in (
        Span("hour", 30, 120, "%H:%M"),
        Span("day", 720, 120, "%H:%M"),
        Span("week", 5400, 112, "%a %-d %b"),
        Span("month", 21_600, 120, "%-d %b"),
    )
}


@dataclass(frozen=True, slots=True)
class Point:
    """What a service measured at a time; None what it could not."""

    time: datetime
    host_uptime: float | None
    container_uptime: float | None
    free: int | None


class Axis:
    """The time of a chart, up to the end of the step that is under way."""

    def __init__(self, span: Span, now: datetime) -> None:
        self.span = span
        self.step = timedelta(seconds=span.step)
        self.end = EPOCH + self.step * ((now - EPOCH) // self.step + 1)
        self.begin = self.end - self.step * span.points

    def x(self, time: datetime) -> float:
        return round(WIDTH * max(0.0, min(1.0, (time - self.begin) / (self.end - self.begin))), 1)

    @property
    def labels(self) -> list[str]:
        quarter = (self.end - self.begin) / 4
        return [f"{self.begin + quarter * number:{self.span.form}}" for number in range(5)]


@dataclass(frozen=True, slots=True)
class Line:
    """One service's line; `number` chooses its colour."""

    number: int
    name: str
    path: str
    dots: str
    area: str
    newest: str
    lowest: str
    highest: str


@dataclass(frozen=True, slots=True)
class Column:
    """What stands at one step, to be read when the pointer is there."""

    x: float
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class DiskChart:
    lines: list[Line]
    ticks: list[str]  # from top to bottom
    grid: list[float]
    columns: list[Column]


def disk_chart(axis: Axis, series: Mapping[str, Sequence[Point]]) -> DiskChart | None:
    """The free disk of each service; None when nothing was measured."""
    measured = {
        name: kept
        for name, points in series.items()
        if (kept := [(p.time, p.free) for p in points if p.free is not None])
    }
    if not measured:
        return None
    values = [value for points in measured.values() for _, value in points]
    ticks = _ticks(min(values), max(values))
    bottom, top = ticks[0], ticks[-1]

    def y(value: float) -> float:
        return round(HEIGHT * (top - value) / (top - bottom), 1)

    lines = []
    for number, (name, points) in enumerate(measured.items(), start=1):
        parts = _joined(axis, [(time, y(value)) for time, value in points])
        path = "".join("M" + "L".join(f"{x} {at}" for x, at in part) for part in parts)
        area = "".join(
            f"M{part[0][0]} {HEIGHT}L" + "L".join(f"{x} {at}" for x, at in part) + f"L{part[-1][0]} {HEIGHT}z"
            for part in parts
        )
        alone = parts if len(points) > DOTS else [[place] for part in parts for place in part]
        dots = "".join(f"M{part[0][0]} {part[0][1]}h0" for part in alone if len(part) == 1)
        own = [value for _, value in points]
        sizes = (shown.size(own[-1]), shown.size(min(own)), shown.size(max(own)))
        lines.append(Line(number, name, path, dots, area if number == 1 else "", *sizes))
    return DiskChart(
        lines,
        [shown.size(tick).replace(".00", "") for tick in reversed(ticks)],
        [y(t) for t in ticks],
        _columns(axis, measured),
    )


def _ticks(lowest: float, highest: float) -> list[float]:
    """Round values, evenly apart, around what was measured."""
    room = max((highest - lowest) * 1.1, highest * FLAT, shown.UNITS[-1][1])
    middle = (lowest + highest) / 2
    unit = next((factor for _, factor in shown.UNITS if highest >= factor), 1)
    rough = room / unit / 3
    power = 10.0 ** math.floor(math.log10(rough))
    step = unit * power * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    first, last = math.floor((middle - room / 2) / step), math.ceil((middle + room / 2) / step)
    return [step * number for number in range(max(0, first), last + 1)]


def _joined(axis: Axis, places: Iterable[tuple[datetime, float]]) -> list[list[tuple[float, float]]]:
    """The places in parts, each of them a line without a gap."""
    parts: list[list[tuple[float, float]]] = []
    before: datetime | None = None
    longest = (axis.end - axis.begin) / GAP
    for time, y in places:
        if before is None or time - before > longest:
            parts.append([])
        parts[-1].append((axis.x(time), y))
        before = time
    return parts


def _columns(axis: Axis, measured: dict[str, list[tuple[datetime, int]]]) -> list[Column]:
    found: dict[int, tuple[datetime, dict[str, int]]] = {}
    for name, points in measured.items():
        for time, value in points:
            _, values = found.setdefault((time - axis.begin) // axis.step, (time, {}))
            values[name] = value
    width = round(WIDTH / axis.span.points, 2)
    return [
        Column(
            round(width * number, 1),
            width,
            f"{time:%-d %b, %H:%M} UTC\n" + "\n".join(f"{n}: {shown.size(v)}" for n, v in values.items()),
        )
        for number, (time, values) in sorted(found.items())
    ]


@dataclass(slots=True)
class Run:
    """From a start to the last time that it was seen."""

    start: datetime
    seen: datetime


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    width: float
    text: str
    mark: float | None  # where it starts, if that is within the chart


@dataclass(frozen=True, slots=True)
class Lane:
    """The runs of one host or container."""

    name: str
    number: int
    bars: list[Bar]
    now: str
    starts: str


def lane(axis: Axis, name: str, number: int, seen: Iterable[tuple[datetime, float]], now: str) -> Lane:
    """`seen`: at which time it was up for how many seconds, in any order."""
    runs = [run for run in _runs(sorted(seen)) if run.seen > axis.begin]
    bars = []
    for run in runs:
        x, end = axis.x(run.start), axis.x(run.seen)
        up = words.duration((run.seen - run.start).total_seconds())
        text = f"{name}: up since {words.moment(run.start)} UTC\nseen until {words.moment(run.seen)} UTC, after {up}"
        bars.append(Bar(x, round(max(end - x, 2.0), 1), text, x if run.start > axis.begin else None))
    starts = sum(bar.mark is not None for bar in bars)
    said = words.counted(starts, "start") if starts else "no restart" if bars else ""
    return Lane(name, number, bars, now, said)


def _runs(seen: Iterable[tuple[datetime, float]]) -> list[Run]:
    runs: list[Run] = []
    latest = None
    for time, uptime in seen:
        start = time - timedelta(seconds=min(uptime, 10**9))
        # An earlier start is another replica, or a clock that was set back: no restart.
        if latest is None or start > latest + timedelta(seconds=SAME_START):
            runs.append(Run(start, time))
            latest = start
        else:
            runs[-1].seen = time
            latest = max(latest, start)
    return runs
