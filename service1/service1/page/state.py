"""What the page says first: how each service is, and how they are together, in words."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from service1.page import words
from service1.page.look import Look, Report
from statuslog import shown
from statuslog.record import Measurement, Record, show_timestamp

OLD = timedelta(hours=1)  # the last record, from when on the page calls it so
EARLY = timedelta(seconds=2)  # ahead of the clock, from when on the page speaks of it
PARTS = {"service1": "the public door", "service2": "its second voice", "storage": "the log"}
OK, DEGRADED, DOWN, STALE = "ok", "degraded", "down", "stale"


@dataclass(frozen=True, slots=True)
class Disk:
    percent: float  # that is free
    free: str
    total: str


@dataclass(frozen=True, slots=True)
class Last:
    """The time of a service's last record, and how it lies to now."""

    iso: str
    time: str
    ago: str
    note: str  # "stale", "future" or nothing


@dataclass(frozen=True, slots=True)
class Service:
    name: str
    part: str
    state: str
    reasons: list[str]
    host: str
    container: str
    disk: Disk | None
    last: Last | None
    log_known: bool  # whether storage has said which records there are
    outbox: str = ""
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Overall:
    state: str
    headline: str
    details: list[str] = field(default_factory=list)


def services(seen: Look) -> list[Service]:
    """service1, service2 and storage."""
    known = seen.overview.value
    latest = known.latest if known else {}
    newest = max(latest.values(), key=lambda record: record.timestamp, default=None)
    reports = (
        ("service1", seen.service1, "", latest.get("service1")),
        ("service2", seen.service2.value, seen.service2.failure, latest.get("service2")),
        ("storage", known.storage if known else None, seen.overview.failure, newest),
    )
    return [_service(seen, *report) for report in reports]


def _service(seen: Look, name: str, report: Report | None, failure: str, record: Record | None) -> Service:
    said = report or Report()
    state = DOWN if report is None else DEGRADED if report.reasons or report.refused else OK
    reasons = [words.reason(name) for name in said.reasons]
    if said.refused:
        reasons.append(
            f"storage has refused {words.counted(said.refused, 'record')} for good: the service's log says why."
        )
    if report is None:
        reasons.append(f"It does not answer: {failure}.")
    outbox = f"{words.counted(said.waiting, 'record')} waiting" if said.waiting else "empty"
    return Service(
        name,
        PARTS[name],
        state,
        reasons,
        _uptime(said.measured.host_uptime_seconds),
        _uptime(said.measured.container_uptime_seconds),
        _disk(said.measured),
        _last(record, seen.now),
        _log_is_known(seen),
        outbox if report else "unknown",
        said.waiting > 0,
    )


def _log_is_known(seen: Look) -> bool:
    return seen.overview.value is not None and seen.overview.value.knows_the_log


def _uptime(seconds: float | None) -> str:
    return "unknown" if seconds is None else words.duration(seconds)


def _disk(measured: Measurement) -> Disk | None:
    free, total = measured.disk_free_bytes, measured.disk_total_bytes
    if free is None or not total:
        return None
    return Disk(round(100 * min(1.0, free / total), 1), shown.size(free), shown.size(total))


def _last(record: Record | None, now: datetime) -> Last | None:
    if record is None:
        return None
    age = (now - record.timestamp).total_seconds()
    iso, time = show_timestamp(record.timestamp), words.moment(record.timestamp)
    if record.timestamp > now + EARLY:
        return Last(iso, time, f"in {words.duration(-age)}", "future")
    return Last(
        iso,
        time,
        f"{words.duration(age)} ago" if age >= 1 else "just now",
        "stale" if now - record.timestamp > OLD else "",
    )


def overall(seen: Look, cards: list[Service]) -> Overall:
    """The one sentence, by what matters most, and what else there is to say."""
    down = [card.name for card in cards if card.state == DOWN]
    degraded = [card.name for card in cards if card.state == DEGRADED]
    waiting = seen.service1.waiting + (seen.service2.value.waiting if seen.service2.value else 0)
    last = cards[-1].last
    details = []
    if waiting:
        wait, them = ("waits", "it") if waiting == 1 else ("wait", "them")
        counted = words.counted(waiting, "record")
        details.append(f"{counted} {wait} in an outbox, on the disk, until storage takes {them}.")
    if not _log_is_known(seen):
        details.append("What the log holds cannot be shown now. New records are kept: they wait in an outbox.")
    elif last is None:
        details.append("There are no records yet.")
    elif last.note == "future":
        details.append(f"The newest record is dated {last.time} UTC: {last.ago}. Was the clock set back?")
    else:
        details.append(
            f"The last record came {last.ago}."
            if not last.note
            else f"The last record is {last.ago.removesuffix(' ago')} old."
        )
    if down:
        return Overall(DOWN, f"{_start(words.joined(down))} {_is(down)} down", details)
    if degraded:
        return Overall(DEGRADED, f"{_start(words.joined(degraded))} {_need(degraded)} attention", details)
    if waiting:
        return Overall(DEGRADED, "Records wait to be delivered", details)
    if last and last.note == "future":
        return Overall(DEGRADED, "A record is dated in the future", details)
    if last and last.note:
        return Overall(STALE, "All is well, but there is nothing new", details)
    return Overall(OK, "Everything is all right", details)


def _start(text: str) -> str:
    return "Storage" + text.removeprefix("storage") if text.startswith("storage") else text


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _need(names: list[str]) -> str:
    return "needs" if len(names) == 1 else "need"
