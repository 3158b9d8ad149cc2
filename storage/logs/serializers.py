"""Between what a client posts, the record, and the row."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID, uuid5

from logs.models import LogRecord
from statuslog.lines import measured_by
from statuslog.record import FIELDS, MEASURED, MICROSECOND, Record, RecordError, check_line, new_id

T = TypeVar("T")


def records_from_json(data: Any) -> list[Record]:
    """The records of a JSON body: one object or a list of them; raises RecordError naming the place."""
    if isinstance(data, Mapping):
        return [Record.from_json(data)]
    if not isinstance(data, list) or not data:
        raise RecordError("send a record as a JSON object, or a list of one or more of them")
    return [_named(f"record {number}", Record.from_json, item) for number, item in enumerate(data, start=1)]


def records_from_lines(lines: Iterable[bytes]) -> list[Record]:
    """The record that each line is as JSON; raises RecordError naming the line."""
    return [_named(f"line {number}", record_from_line, line) for number, line in enumerate(lines, start=1)]


def records_from_text(lines: Iterable[bytes], arrival: datetime, key: UUID | None) -> list[Record]:
    """A record for each line of text, standing at its arrival; raises RecordError naming the line.

    With an idempotency key the ids follow from it, so that the same body sent again is known again.
    """
    return [
        # A microsecond apart, so that no two records of one body share a place in the log.
        _record_of_line(_named(f"line {number}", _text, line), arrival + number * MICROSECOND, _line_id(key, number))
        for number, line in enumerate(lines, start=1)
    ]


def record_from_line(line: bytes) -> Record:
    """The record that the line is as JSON; raises RecordError."""
    try:
        return Record.from_json(json.loads(decode(line)))
    except json.JSONDecodeError as error:
        raise RecordError(f"no JSON: {error.msg} at column {error.pos + 1}") from None
    except RecursionError:
        raise RecordError("no JSON: nested too deeply") from None
    except RecordError:
        raise
    except ValueError:
        raise RecordError("no JSON: a number has too many digits") from None


def decode(line: bytes) -> str:
    """The text of the line; raises RecordError."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise RecordError(f"not UTF-8: byte 0x{line[error.start]:02x} is wrong there") from None


def _named(place: str, read: Callable[[Any], T], item: Any) -> T:
    try:
        return read(item)
    except RecordError as error:
        raise RecordError(f"{place}: {error}") from None


def _text(line: bytes) -> str:
    return check_line(decode(line))


def _line_id(key: UUID | None, number: int) -> UUID:
    if key is None:
        return new_id()
    return key if number == 1 else uuid5(key, str(number))


def _record_of_line(line: str, arrival: datetime, record_id: UUID) -> Record:
    shown = measured_by(line)
    measured = {name: getattr(shown, name) for name in MEASURED}
    return Record(id=record_id, service="", timestamp=arrival, line=line, **measured)


def record_of(row: LogRecord) -> Record:
    """The record that `row` keeps."""
    return Record(id=row.record_id, **{name: getattr(row, name) for name in FIELDS if name != "id"})
