"""The geometry of the uptime chart: a lane for the host and for each service, with a bar for each run."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from service1.page import words
from service1.page.axis import Axis
from statuslog import shown
from statuslog.words import counted

SAME_START = 10  # seconds by which a start may be measured differently, as the clock is corrected


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
        up = shown.duration((run.seen - run.start).total_seconds())
        text = f"{name}: up since {words.moment(run.start)} UTC\nseen until {words.moment(run.seen)} UTC, after {up}"
        bars.append(Bar(x, round(max(end - x, 2.0), 1), text, x if run.start > axis.begin else None))
    starts = sum(bar.mark is not None for bar in bars)
    said = counted(starts, "start") if starts else "no restart" if bars else ""
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
