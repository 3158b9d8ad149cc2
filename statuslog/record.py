"""The status record: its values, its one line of text, its JSON form, and the way back from JSON.

The only place that knows how a line is written; lines.py reads lines. A new measured value is one field of
`Measurement` here, its reading in `probe.py`, and a column with its migration in storage.
"""

import dataclasses
import math
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self
from uuid import UUID

MAX_LINE_LENGTH = 4096
MEBIBYTE = 2**20
SECONDS_PER_HOUR = 3600
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AHEAD = timedelta(minutes=5)  # a record whose time is further ahead than that comes from a wrong clock
FAR = timedelta(days=1)  # no clock that was set back to the right time was further ahead: that one was wrong
LONGEST_UPTIME = 2**53  # seconds: beyond it a float skips whole numbers
MOST_BYTES = 2**63 - 1  # what a column of a database holds

LINE_PATTERN = re.compile(
    r"(?P<timestamp>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z): "
    r"uptime (?P<hours>\d+\.\d{3}) hours, free disk in root: (?P<mebibytes>\d+\.\d{2}) MBytes",
    re.ASCII,
)

# A line is shown in terminals and stored in a file of lines, so nothing may break, hide or reorder it:
# C0 and C1 controls, line and paragraph separator, bidirectional embeddings, overrides and isolates
# (https://trojansource.codes), and halves of surrogate pairs, which UTF-8 cannot carry.
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

# The same as JSON Schema writes a regular expression within [], without the halves of surrogate pairs, which not every
# program can name.
FORBIDDEN_CHARACTERS = "".join(
    char if char == "-" else f"\\u{ord(char):04x}" for char in FORBIDDEN.pattern[1:-1].removesuffix("\ud800-\udfff")
)


class RecordError(ValueError):
    """A record or a line cannot be taken; the text names what is wrong and where."""


def check_line(line: str) -> str:
    """Return `line` if it can stand as one line of the log; raises RecordError."""
    if not line.strip():
        raise RecordError("the line is blank")
    if len(line) > MAX_LINE_LENGTH:
        raise RecordError(f"the line has {len(line):,} characters; {MAX_LINE_LENGTH:,} are allowed")
    if found := FORBIDDEN.search(line):
        raise RecordError(f"character U+{ord(found[0]):04X} at column {found.start() + 1} is not allowed")
    return line


def _read_id(value: Any) -> UUID:
    if isinstance(value, str):
        try:
            return UUID(value)
        except ValueError:
            pass
    raise RecordError("must be a UUID")


def _read_label(value: Any) -> str:
    if isinstance(value, str) and len(value) <= 255 and not FORBIDDEN.search(value):
        return value
    raise RecordError("must be a text of at most 255 characters without control characters")


def _read_timestamp(value: Any) -> datetime:
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise RecordError("must be a time with its zone, such as 2025-09-26T16:45:06.123456Z")


def _read_seconds(value: Any) -> float | None:
    if value is None:
        return None
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 <= value < LONGEST_UPTIME
        and math.isfinite(value)
    ):
        return float(value)
    raise RecordError("must be a number of seconds, 0 or more, or null")


def _read_bytes(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # to JSON 5.0 is a whole number
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_BYTES):
        return value
    raise RecordError("must be a whole number of bytes, 0 or more, or null")


def _read_line(value: Any) -> str:
    if isinstance(value, str):
        return check_line(value)
    raise RecordError("must be a text")


def _json(read: Callable[[Any], Any], **options: Any) -> Any:
    """A field that is read from JSON by `read`; with a default, JSON may leave it out."""
    return field(metadata={"read": read}, **options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What the probe measures. A value that cannot be measured is None, never 0."""

    host_uptime_seconds: float | None = _json(_read_seconds, default=None)
    container_uptime_seconds: float | None = _json(_read_seconds, default=None)
    disk_free_bytes: int | None = _json(_read_bytes, default=None)
    disk_total_bytes: int | None = _json(_read_bytes, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Measurement):
    """One status record, as both stores keep it. `timestamp` is UTC; `line` has no line end."""

    id: UUID = _json(_read_id)
    service: str = _json(_read_label)
    instance: str = _json(_read_label, default="")
    timestamp: datetime = _json(_read_timestamp)
    line: str = _json(_read_line)

    def to_json(self) -> dict[str, Any]:
        """The record as values that JSON can carry, losing nothing."""
        values = {name: getattr(self, name) for name in FIELDS}
        values["id"] = str(self.id)
        values["timestamp"] = show_timestamp(self.timestamp)
        return values

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """The record that `to_json` made `data` of; raises RecordError naming the field."""
        if not isinstance(data, Mapping):
            raise RecordError("a record must be a JSON object")
        if unknown := sorted(set(data) - set(_READERS)):
            raise RecordError(f"unknown field {unknown[0]!r}; known are {', '.join(FIELDS)}")
        if missing := [name for name in REQUIRED if name not in data]:
            raise RecordError(f"field {missing[0]!r} is missing")
        values = {}
        for name, value in data.items():
            try:
                values[name] = _READERS[name](value)
            except RecordError as error:
                raise RecordError(f"field {name!r}: {error}") from None
        return cls(**values)


MEASURED = tuple(entry.name for entry in dataclasses.fields(Measurement))
# identity first, then what was measured, then the text: the order people read them in
FIELDS = ("id", "service", "instance", "timestamp", *MEASURED, "line")
_READERS: dict[str, Callable[[Any], Any]] = {entry.name: entry.metadata["read"] for entry in dataclasses.fields(Record)}
REQUIRED = tuple(entry.name for entry in dataclasses.fields(Record) if entry.default is dataclasses.MISSING)


@dataclass(frozen=True, slots=True)
class LineStyle:
    """The two documented switches of the line: RECORD_TIMESTAMP and RECORD_UPTIME."""

    timestamp: Literal["seconds", "milliseconds"] = "seconds"
    uptime: Literal["host", "container"] = "host"

    def format(self, timestamp: datetime, measurement: Measurement) -> str:
        """The record's line: UTC time, uptime in hours, free disk in MiB; raises RecordError.

        The line has no place for an unknown value, and a false one would be worse: without the uptime or the free disk
        there is no line, so the service keeps no record and /status answers 503.
        """
        seconds = measurement.host_uptime_seconds if self.uptime == "host" else measurement.container_uptime_seconds
        if seconds is None:
            raise RecordError(f"the {self.uptime}'s uptime cannot be measured: is /proc readable?")
        if measurement.disk_free_bytes is None:
            raise RecordError("the free disk of / cannot be measured: what does `df /` say?")
        # Cut, not rounded, so that a moment never shows before it has come.
        shown = timestamp.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=self.timestamp)
        return (
            f"{shown}Z: uptime {seconds / SECONDS_PER_HOUR:.3f} hours, "
            f"free disk in root: {measurement.disk_free_bytes / MEBIBYTE:.2f} MBytes"
        )


def make(*, service: str, instance: str, timestamp: datetime, measurement: Measurement, style: LineStyle) -> Record:
    """A new record of `measurement`; raises RecordError when its line cannot be written."""
    return Record(
        id=new_id(),
        service=service,
        instance=instance,
        timestamp=timestamp,
        line=style.format(timestamp, measurement),
        **{name: getattr(measurement, name) for name in MEASURED},
    )


def show_timestamp(moment: datetime) -> str:
    """The time in UTC to the microsecond, as in the JSON form of a record."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_timestamp(value: str, name: str) -> datetime:
    """The time that a header or parameter `name` says; raises RecordError."""
    try:
        return _read_timestamp(value)
    except RecordError as error:
        raise RecordError(f"{name}: {error}") from None


def new_id() -> UUID:
    """A UUID of version 7 (RFC 9562, 5.7): it begins with the time, so an index of ids grows at its end.

    Python has its own from 3.14 on.
    """
    milliseconds = time.time_ns() // 1_000_000
    number = milliseconds << 80 | int.from_bytes(os.urandom(10))
    number = number & ~(0xF << 76) | 7 << 76
    number = number & ~(0x3 << 62) | 2 << 62
    return UUID(int=number)
