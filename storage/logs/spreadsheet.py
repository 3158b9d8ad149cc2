"""The log as CSV (RFC 4180), for spreadsheets: the one place that writes it, for the API and for the admin.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, and some of those fetch addresses or
start programs. Lines come from whoever posts, so such a text gets an apostrophe in front, which makes it a text
(https://owasp.org/www-community/attacks/CSV_Injection).
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

from statuslog.record import FIELDS, Record

MEDIA_TYPE = "text/csv; charset=utf-8; header=present"
# Also the full-width forms, which a Japanese or Chinese input method types and Excel reads alike.
FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")


def header() -> str:
    """The names of the columns: the fields of a record."""
    return _written([FIELDS])


def written(records: Iterable[Record]) -> str:
    """The records, one a line. What was not measured is empty."""
    return _written([_safe(value) for value in record.to_json().values()] for record in records)


def _safe(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value


def _written(lines: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue()
