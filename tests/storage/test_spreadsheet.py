"""The CSV form: every value, and no cell that a spreadsheet would run."""

import csv
import io
from uuid import UUID

import pytest

from logs import spreadsheet
from statuslog.record import FIELDS, Record
from tests.storage.conftest import MOMENT


def cells(**values: str) -> dict[str, str]:
    """What a program that reads CSV makes of one record."""
    record = Record(id=UUID(int=1), timestamp=MOMENT, **{"service": "", **values})  # type: ignore[arg-type]
    [found] = csv.DictReader(io.StringIO(spreadsheet.header() + spreadsheet.written([record])))
    return found


def test_every_field_of_a_record_has_its_column(record: Record):
    text = spreadsheet.header() + spreadsheet.written([record])
    [found] = csv.DictReader(io.StringIO(text))
    assert list(found) == list(FIELDS)
    assert found == {name: str(value) for name, value in record.to_json().items()}
    assert text.endswith("\r\n")


def test_what_was_not_measured_is_empty_not_0():
    assert cells(line="hello")["disk_free_bytes"] == ""


@pytest.mark.parametrize("line", ['=cmd|"/C calc"!A0', "+1", "-1", "@SUM(A1)", " =1", "\u00a0=1", "\uff1d1", "\uff0d1"])
def test_no_text_is_taken_for_a_formula(line: str):
    found = cells(line=line, service=line, instance=line)
    assert found["line"] == found["service"] == found["instance"] == f"'{line}"


@pytest.mark.parametrize("line", ['a "b", c', "1=1", "it's", ",", "2025-09-26T16:45:06Z: uptime 8.907 hours", "日本語"])
def test_any_other_text_stays_as_it_is(line: str):
    assert cells(line=line)["line"] == line
