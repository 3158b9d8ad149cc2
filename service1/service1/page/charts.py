"""The geometry of the free disk's chart, as plain SVG that the page stretches."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from service1.page.axis import Axis
from statuslog import shown

HEIGHT = 200
GAP = 8  # of the span's so manieth part: what lies further apart is not joined by a line
DOTS = 40  # points, up to which each is marked
FLAT = 0.01  # of the value: the least that the axis shows, so that a few kilobytes do not look like a mountain


@dataclass(frozen=True, slots=True)
class Point:
    """What a service measured at a time; None what it could not."""

    time: datetime
    host_uptime: float | None
    container_uptime: float | None
    free: int | None


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


def disk_chart(axis: Axis, series: Mapping[str, Sequence[Point]], numbers: Mapping[str, int]) -> DiskChart | None:
    """The free disk of each service, in the colour of its number; None when nothing was measured."""
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

    lines: list[Line] = []
    for name, points in measured.items():
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
        lines.append(Line(numbers[name], shown.service(name), path, dots, "" if lines else area, *sizes))
    return DiskChart(
        lines,
        [shown.size(tick).replace(".00", "") if tick else "0" for tick in reversed(ticks)],
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


def _columns(axis: Axis, measured: Mapping[str, Sequence[tuple[datetime, int]]]) -> list[Column]:
    found: dict[datetime, dict[str, list[int]]] = {}
    for name, points in measured.items():
        for time, value in points:
            found.setdefault(axis.step_of(time), {}).setdefault(shown.service(name), []).append(value)
    return [
        Column(
            axis.x(step),
            round(axis.x(step + axis.step) - axis.x(step), 1),
            f"{max(step, axis.begin):%-d %b, %H:%M} UTC\n" + "\n".join(f"{n}: {_values(v)}" for n, v in each.items()),
        )
        for step, each in sorted(found.items())
    ]


def _values(values: Sequence[int]) -> str:
    """The last of a step, and between which they lie."""
    lowest, highest = shown.size(min(values)), shown.size(max(values))
    last = shown.size(values[-1])
    return last if lowest == highest else f"{last}, between {lowest} and {highest}"
