"""The time of the page's charts: which stretches can be looked at, and where a time lies."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from statuslog.record import EPOCH

WIDTH = 1000  # of a chart, which the page stretches


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time that can be looked at: `points` steps of `step` seconds, up to now.

    Its axis has a tick at each whole multiple of `tick`, whose time is written as `form` says.
    """

    name: str
    step: int
    points: int
    tick: timedelta
    form: str


SPANS = {
    span.name: span
    for span in (
        Span("hour", 30, 120, timedelta(minutes=15), "%H:%M"),
        Span("day", 720, 120, timedelta(hours=6), "%H:%M"),
        Span("week", 5400, 112, timedelta(days=1), "%a %-d"),
        Span("month", 21_600, 120, timedelta(weeks=1), "%-d %b"),
    )
}
MONDAY = EPOCH + timedelta(days=4)  # which ticks are counted from
# Of the width: where the time of a tick has room beside the chart's edge, and beside "now".
ROOM = (0.05, 0.84)


@dataclass(frozen=True, slots=True)
class Tick:
    """A round time on the axis; `percent` of the width; without a text where that has no room."""

    x: float
    percent: float
    text: str


class Axis:
    """The time of a chart, up to now."""

    def __init__(self, span: Span, now: datetime) -> None:
        self.span = span
        self.step = timedelta(seconds=span.step)
        self.end = now
        self.begin = now - self.step * span.points

    def x(self, time: datetime) -> float:
        return round(WIDTH * max(0.0, min(1.0, (time - self.begin) / (self.end - self.begin))), 1)

    @property
    def ticks(self) -> list[Tick]:
        first = -((MONDAY - self.begin) // self.span.tick)
        times = [MONDAY + self.span.tick * number for number in range(first, (self.end - MONDAY) // self.span.tick + 1)]
        return [self._tick(time) for time in times]

    def _tick(self, time: datetime) -> Tick:
        x = self.x(time)
        text = f"{time:{self.span.form}}" if ROOM[0] <= x / WIDTH <= ROOM[1] else ""
        return Tick(x, round(100 * x / WIDTH, 1), text)

    def step_of(self, time: datetime) -> datetime:
        """The beginning of the time's step; steps begin at whole multiples of their length, as in /overview."""
        return EPOCH + self.step * ((time - EPOCH) // self.step)
