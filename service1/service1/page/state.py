"""What the page says first: how each service is, and how they are together, in words."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from service1.page import words
from service1.page.look import Look, Report
from statuslog import shown
from statuslog.record import Measurement, Record, show_timestamp
from statuslog.words import counted

OLD = timedelta(hours=1)  # the last record, from when on the page calls it so
SAME = 5  # seconds after the host's start in which its first process starts: then there is no container
EARLY = timedelta(seconds=2)  # ahead of the clock, from when on the page speaks of it
PARTS = {"service1": "the public door", "service2": "its second voice", "storage": "the log"}
OK, DEGRADED, DOWN, STALE = "ok", "degraded", "down", "stale"


@dataclass(frozen=True, slots=True)
class Disk:
    name: str
    used: float  # percent
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
    container: str  # nothing, where the service does not run in one
    disk: Disk
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
    disks = ("Disk", "Disk", "Data disk") if known and known.data_disk else ("Disk",) * 3
    return [_service(seen, disk, *report) for disk, report in zip(disks, reports, strict=True)]


def _service(seen: Look, disk: str, name: str, report: Report | None, failure: str, record: Record | None) -> Service:
    said = report or Report()
    state = DOWN if report is None else DEGRADED if report.reasons or report.refused else OK
    reasons = [words.reason(name) for name in said.reasons]
    if said.refused:
        reasons.append(f"storage has refused {counted(said.refused)} for good: the service's log says why.")
    if report is None:
        reasons.append(f"It does not answer: {failure}.")
    outbox = f"{counted(said.waiting)} waiting" if said.waiting else "empty"
    return Service(
        name,
        PARTS[name],
        state,
        reasons,
        _uptime(said.measured.host_uptime_seconds),
        _container(said.measured),
        _disk(disk, said.measured if disk == "Disk" or not seen.overview.value else seen.overview.value.data_disk),
        _last(record, seen.now),
        _log_is_known(seen),
        outbox if report else "unknown",
        said.waiting > 0,
    )


def _log_is_known(seen: Look) -> bool:
    return seen.overview.value is not None and seen.overview.value.knows_the_log


def _uptime(seconds: float | None) -> str:
    return "unknown" if seconds is None else shown.duration(seconds)


def _container(measured: Measurement) -> str:
    host, container = measured.host_uptime_seconds, measured.container_uptime_seconds
    if host is None and container is None:
        return ""
    if host is not None and container is not None and host - container < SAME:
        return ""
    return _uptime(container)


def _disk(name: str, measured: Measurement | None) -> Disk:
    free, total = (measured.disk_free_bytes, measured.disk_total_bytes) if measured else (None, None)
    used = 0.0 if free is None or not total else round(100 * max(0.0, 1 - free / total), 1)
    return Disk(name, used, shown.size(free), shown.size(total) if total else "")


def _last(record: Record | None, now: datetime) -> Last | None:
    if record is None:
        return None
    age = (now - record.timestamp).total_seconds()
    iso, time = show_timestamp(record.timestamp), words.moment(record.timestamp)
    if record.timestamp > now + EARLY:
        return Last(iso, time, f"in {shown.duration(-age)}", "future")
    return Last(
        iso,
        time,
        f"{shown.duration(age)} ago" if age >= 1 else "just now",
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
        details.append(f"{counted(waiting)} {wait} in an outbox, on the disk, until storage takes {them}.")
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
    if seen.differ:
        details.append(
            f"vstorage and the log are not equal at their {seen.differ}: ./manage_all.sh verify shows the lines."
        )
        return Overall(DEGRADED, "The two stores differ", details)
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
