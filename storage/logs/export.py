"""A part of the log as a file for download, of any length: what the admin's actions answer.

Each page is a query of its own that looks at a bounded part of the log, as in pages.py: nothing stays open while a
slow client reads.
"""

from collections.abc import Iterator
from dataclasses import replace

from django.db.models import Max, Q, QuerySet
from django.http import StreamingHttpResponse

from logs import forms, spreadsheet
from logs.models import LogRecord
from logs.places import Stretch, nth_place, ordered, place
from logs.serializers import record_of

PAGE = 1000  # records of a query
LOOKED_THROUGH = 100_000  # records, for one page of those that have a text

WRITTEN = {"csv": spreadsheet.written, "ndjson": forms.lines}


def as_file(name: str, rows: QuerySet[LogRecord], stretch: Stretch, text: Q) -> StreamingHttpResponse:
    """Those of the rows in a stretch of the log that have the text, as a file in the form `name` of WRITTEN."""
    form = forms.FORMS[name]
    chunks = _chunks(form, _pages(rows, stretch, text))
    disposition = f'attachment; filename="records.{name}"'
    return StreamingHttpResponse(chunks, content_type=form.content_type, headers={"Content-Disposition": disposition})


def _chunks(form: forms.Form, pages: Iterator[list[LogRecord]]) -> Iterator[bytes]:
    yield form.head().encode()
    for page in pages:
        yield WRITTEN[form.name](map(record_of, page)).encode()


def _pages(rows: QuerySet[LogRecord], stretch: Stretch, text: Q) -> Iterator[list[LogRecord]]:
    newest = LogRecord.objects.aggregate(row=Max("row"))["row"] or 0  # a log that grows is read to an end
    rows = ordered(rows.filter(row__lte=newest))
    while True:
        end = nth_place(rows.filter(stretch.condition), LOOKED_THROUGH) if text else None
        part = stretch.up_to(end, newest_first=False) if end else stretch
        page = list(rows.filter(part.condition, text)[:PAGE])
        if page:
            yield page
        if len(page) == PAGE:
            end = place(page[-1])
        elif end is None:
            return
        stretch = replace(stretch, after=end)
