"""The forms of the log. A row, as pages.py reads it, is its key (time, row) and the columns of the form, as the
database has them: Django's conversions take several times as long as the reading."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from logs import spreadsheet
from statuslog.record import FIELDS, Record
from statuslog.rest import JSON, TEXT

NDJSON = "application/x-ndjson"

Row = Sequence[Any]
# The columns besides the key, the line last.
LINE = ("line",)
_AS_THEY_ARE = tuple(name for name in FIELDS if name not in ("id", "timestamp"))
RECORD = ("record_id", *_AS_THEY_ARE)


def moment(row: Row) -> datetime:
    """The time of a row, which comes as a text."""
    time = datetime.fromisoformat(row[0])
    return time if time.tzinfo else time.replace(tzinfo=UTC)  # SQLite keeps UTC and does not say so


def records(rows: Sequence[Row]) -> Iterator[Record]:
    """The record of each row that has the columns of RECORD."""
    for row in rows:
        record_id, *values = row[2:]
        if not isinstance(record_id, UUID):
            record_id = UUID(record_id)  # in SQLite it is a text
        yield Record(id=record_id, timestamp=moment(row), **dict(zip(_AS_THEY_ARE, values, strict=True)))


def as_text(rows: Sequence[Row]) -> str:
    """The line of each row."""
    return "".join([f"{row[-1]}\n" for row in rows])


def as_ndjson(rows: Sequence[Row]) -> str:
    """The record of each row as JSON, one a line."""
    return lines(records(rows))


def lines(records: Iterable[Record]) -> str:
    """The records as JSON, one a line."""
    return "".join([f"{json.dumps(record.to_json())}\n" for record in records])


def as_csv(rows: Sequence[Row]) -> str:
    """The record of each row, for a spreadsheet."""
    return spreadsheet.written(records(rows))


def as_page(rows: Sequence[Row], following: str | None) -> str:
    """A page of records as JSON, and the address of the next one."""
    return json.dumps({"records": [record.to_json() for record in records(rows)], "next": following})


@dataclass(frozen=True, slots=True)
class Form:
    """One form: its name for `?format=`, its media type for `Accept`; `write` makes the text of rows, if they are
    streamed, and `head` comes before."""

    name: str
    media_type: str
    content_type: str
    columns: tuple[str, ...] = RECORD
    write: Callable[[Sequence[Row]], str] = as_ndjson
    head: Callable[[], str] = str


TEXT_FORM = Form("text", "text/plain", TEXT, LINE, as_text)
JSON_FORM = Form("json", JSON, JSON)  # in pages: as_page
NDJSON_FORM = Form("ndjson", NDJSON, NDJSON)
CSV_FORM = Form("csv", "text/csv", spreadsheet.MEDIA_TYPE, RECORD, as_csv, spreadsheet.header)
FORMS = {form.name: form for form in (TEXT_FORM, JSON_FORM, NDJSON_FORM, CSV_FORM)}
