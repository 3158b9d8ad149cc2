"""What the page has to go by: all services are asked at the same time, and whoever is late is left out.

A peer's answer may be of another version, or no answer at all: it never makes the page fail.
"""

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

from service1.page import stores
from service1.page.axis import Span
from service1.page.charts import Point
from service1.page.stores import Ends
from service1.service2_client import Service2Client, Service2Error
from statuslog.peer import PeerError, read
from statuslog.probe import measure
from statuslog.record import MEASURED, Measurement, Record, parse_timestamp
from statuslog.recorder import Recorder
from statuslog.storage_client import StorageError
from statuslog.vstorage import VstorageError

WITHIN = 2.4  # seconds for all of them; the rest of the contract's 3 s is for making the page
LONGEST_PAGE = 2**20
ROWS = 12  # of the table of records
# Reasons of storage with which it says nothing of the log.
NO_LOG = {"migrations_pending", "database_replaced", "database_unreachable"}

T = TypeVar("T")

_threads = ThreadPoolExecutor(32, "page")  # made when they are needed; a look takes three


class Failed(Exception):
    """A peer did not say what it was asked for; the text is the reason."""


class Refused(Failed):
    """storage does not understand what the visitor has asked for; the text names it."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a service says of itself, as in /readyz."""

    reasons: list[str] = field(default_factory=list)
    measured: Measurement = field(default_factory=Measurement)
    waiting: int = 0
    refused: int = 0

    @classmethod
    def of(cls, data: Any) -> "Report":
        """What /readyz has answered; raises Failed."""
        try:
            outbox = data.get("outbox", {})
            measured = {name: data["measured"].get(name) for name in MEASURED}
            # Read as the values of a record are, for their checks.
            return cls([str(name) for name in data["reasons"]], _measurement(measured), *map(int, _counts(outbox)))
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise Failed("its answer is not understood") from error


@dataclass(frozen=True, slots=True)
class Overview:
    """What storage says of the log: by service the latest record and a series."""

    storage: Report
    latest: dict[str, Record]
    series: dict[str, list[Point]]
    data_disk: Measurement | None = None  # the free and the total bytes of it, if storage sees its data's disk
    ends: Ends = field(default_factory=Ends)

    @property
    def knows_the_log(self) -> bool:
        """Else that there are no records says nothing."""
        return not NO_LOG & set(self.storage.reasons)


@dataclass(frozen=True, slots=True)
class Rows:
    """The records of the table, newest first; `next` is the cursor of those behind them, if there may be some."""

    records: list[Record]
    next: str


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What was asked for, or why it is not there."""

    value: T | None = None
    failure: str = ""
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """Everything, as of `now`."""

    now: datetime
    service1: Report
    service2: Answer[Report]
    overview: Answer[Overview]
    rows: Answer[Rows]
    differ: str = ""  # where the stores do: stores.difference


def look(
    own: Recorder, outbox: Mapping[str, int], service2: Service2Client, span: Span, query: Mapping[str, str]
) -> Look:
    """Ask everybody, and answer within `WITHIN` seconds."""
    until = time.monotonic() + WITHIN
    storage = own.storage
    before = _last_lines(own)
    overview = _begin(lambda: _overview(storage.overview(span.step, span.points, WITHIN)))
    rows = _begin(lambda: _rows(own, query))
    other = _begin(lambda: Report.of(service2.readiness(WITHIN)))
    reasons = _vstorage(own)
    if not outbox:
        reasons.append("outbox_unusable")
    seen = _end(overview, until)
    if seen.value is None or seen.value.storage.reasons:
        reasons.append("storage_unreachable")
    service1 = Report(reasons, measure(), *_counts(outbox))
    found, shown = _end(other, until), _end(rows, until)
    differ = _difference(own, before, service1, found.value, seen.value, until)
    return Look(datetime.now(UTC), service1, found, seen, shown, differ)


def _begin(ask: Callable[[], T]) -> "Future[T]":
    return _threads.submit(copy_context().run, ask)


def _end(asked: "Future[T]", until: float) -> Answer[T]:
    try:
        return Answer(asked.result(max(0.0, until - time.monotonic())))
    except TimeoutError:
        asked.cancel()
        return Answer(failure=f"no answer within {WITHIN:.1f} s")
    except (Failed, PeerError, StorageError, Service2Error) as error:
        return Answer(failure=str(error), refused=isinstance(error, Refused))


def _vstorage(own: Recorder) -> list[str]:
    try:
        own.vstorage.check()
    except VstorageError as error:
        return [error.reason]
    return []


def _last_lines(own: Recorder) -> list[str]:
    try:
        return stores.last_lines(own.vstorage.path)
    except OSError:
        return []


def _difference(
    own: Recorder,
    before: list[str],
    service1: Report,
    service2: Report | None,
    known: Overview | None,
    until: float,
) -> str:
    """Where the stores differ, as far as that is known: not while something is on its way to one of them."""
    if known is None or service2 is None or known.storage.reasons:
        return ""
    if any(report.reasons or report.waiting for report in (service1, service2)):
        return ""
    try:
        if own.vstorage.edition() != known.ends.edition:
            return ""  # the file is about to be written again
        return stores.difference(own.vstorage.path, before, known.ends, until)
    except (OSError, VstorageError):
        return ""


def _overview(data: Any) -> Overview:
    try:
        services = {str(one["service"]): one for one in data["services"]}
        latest = {name: Record.from_json(one["latest"]) for name, one in services.items()}
        series = {name: [_point(point) for point in one["series"]] for name, one in services.items()}
        # An older storage does not say these.
        disk = _measurement(data["data_disk"]) if data.get("data_disk") else None
        told = data.get("ends") or {"edition": -1, "first": [], "last": []}
        ends = Ends(int(told["edition"]), *([*map(str, told[end])] for end in ("first", "last")))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise Failed("its answer is not understood") from error
    return Overview(Report.of(data.get("readiness")), latest, series, disk, ends)


def _point(data: Mapping[str, Any]) -> Point:
    measured = _measurement(data)
    return Point(
        parse_timestamp(data["timestamp"], "timestamp"),
        measured.host_uptime_seconds,
        measured.container_uptime_seconds,
        measured.disk_free_bytes,
    )


def _measurement(data: Mapping[str, Any]) -> Measurement:
    values = {name: data.get(name) for name in MEASURED}
    # NaN and infinity are numbers to JSON's reader; neither lies between two others.
    if not all(value is None or (isinstance(value, int | float) and 0 <= value < 2**63) for value in values.values()):
        raise TypeError("a measured value is a number, 0 or more")
    return Measurement(**values)


def _counts(outbox: Mapping[str, Any]) -> tuple[Any, Any]:
    return outbox.get("waiting", 0), outbox.get("refused", 0)


def _rows(own: Recorder, query: Mapping[str, str]) -> Rows:
    asked = urlencode({"format": "json", "order": "desc", "limit": ROWS, **query})
    with own.storage.log("GET", asked, {}, WITHIN) as response:
        answer = read(response, LONGEST_PAGE)
        code = response.status_code
    try:
        data = json.loads(answer)
        if code == 400:
            raise Refused(str(data["detail"]))
        if code != 200:
            raise Failed(f"{code}: {data['detail']}")
        following = parse_qs(urlsplit(data["next"] or "").query).get("cursor", [""])[0]
        return Rows([Record.from_json(record) for record in data["records"]], following)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise Failed(f"{code} with an answer that is not understood") from error
