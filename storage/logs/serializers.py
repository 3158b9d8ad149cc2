"""Between what a client posts, the record, and the row."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from logs.models import LogRecord
from statuslog.record import FIELDS, MICROSECOND, Record, RecordError, check_line, new_id, parse_line


def records_from_json(data: Any) -> list[Record]:
    """The records of a JSON body: one object or a list of them; raises RecordError naming the place."""
    if isinstance(data, Mapping):
        return [Record.from_json(data)]
    if not isinstance(data, list) or not data:
        raise RecordError("send a record as a JSON object, or a list of one or more of them")
    records = []
    for number, item in enumerate(data, start=1):
        try:
            records.append(Record.from_json(item))
        except RecordError as error:
            raise RecordError(f"record {number}: {error}") from None
    return records


def records_from_text(body: bytes, arrival: datetime, key: UUID | None) -> list[Record]:
    """A record for each line of a text body, standing at its arrival; raises RecordError naming the line.

    With an idempotency key the ids follow from it, so that the same body sent again is known again.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        place = body.count(b"\n", 0, error.start) + 1
        raise RecordError(f"line {place}: not UTF-8: byte 0x{body[error.start]:02x} is wrong there") from None
    records = []
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        try:
            check_line(line)
        except RecordError as error:
            raise RecordError(f"line {number}: {error}") from None
        # A microsecond apart, so that no two records of one body share a place in the log.
        records.append(_record_of_line(line, arrival + number * MICROSECOND, _line_id(key, number)))
    return records


def _line_id(key: UUID | None, number: int) -> UUID:
    if key is None:
        return new_id()
    return key if number == 1 else uuid5(key, str(number))


def _record_of_line(line: str, arrival: datetime, record_id: UUID) -> Record:
    parsed = parse_line(line)
    measured = {} if parsed is None else _values(parsed[1])
    return Record(id=record_id, service="", timestamp=arrival, line=line, **measured)


def row_of(record: Record, received_at: datetime) -> LogRecord:
    """The row that keeps `record`."""
    values = _values(record)
    return LogRecord(record_id=values.pop("id"), received_at=received_at, **values)


def record_of(row: LogRecord) -> Record:
    """The record that `row` keeps."""
    return Record(id=row.record_id, **{name: getattr(row, name) for name in FIELDS if name != "id"})


def _values(source: Any) -> dict[str, Any]:
    return {name: getattr(source, name) for name in FIELDS if hasattr(source, name)}
