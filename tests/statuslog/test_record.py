"""The record: its line, its JSON, and the way back from both."""

import contextlib
import dataclasses
import json
import math
import re
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statuslog.record import (
    MAX_LINE_LENGTH,
    LineStyle,
    Measurement,
    Record,
    RecordError,
    check_line,
    make,
    new_id,
)

# DESIGN's own expression, not the code's: a test that asks the code what is right proves nothing.
CONTRACT = re.compile(
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ: uptime \d+\.\d{3} hours, free disk in root: \d+\.\d{2} MBytes$", re.ASCII
)
MOMENT = datetime(2025, 9, 26, 16, 45, 6, 123456, tzinfo=UTC)
MEASURED = Measurement(
    host_uptime_seconds=32065.2,
    container_uptime_seconds=3600.0,
    disk_free_bytes=37_966_420_213,
    disk_total_bytes=100_000_000_000,
)
LINE = "2025-09-26T16:45:06Z: uptime 8.907 hours, free disk in root: 36207.60 MBytes"

moments = st.datetimes(timezones=st.just(UTC))
measurements = st.builds(
    Measurement,
    host_uptime_seconds=st.floats(0, 1e10),
    container_uptime_seconds=st.none() | st.floats(0, 1e10),
    disk_free_bytes=st.integers(0, 2**60),
    disk_total_bytes=st.none() | st.integers(0, 2**63 - 1),
)


def accepted(line: str) -> bool:
    try:
        check_line(line)
    except RecordError:
        return False
    return True


texts = st.text(max_size=80)
lines = texts.filter(accepted)
labels = texts.filter(lambda text: not text or accepted(f"x{text}"))
records = st.builds(
    Record,
    id=st.uuids(),
    service=labels,
    instance=labels,
    timestamp=moments,
    line=lines,
    host_uptime_seconds=st.none() | st.floats(0, 2**52),
    container_uptime_seconds=st.none() | st.floats(0, 2**52),
    disk_free_bytes=st.none() | st.integers(0, 2**63 - 1),
    disk_total_bytes=st.none() | st.integers(0, 2**63 - 1),
)


@pytest.fixture
def record() -> Record:
    return make(service="service1", instance="host-a", timestamp=MOMENT, measurement=MEASURED, style=LineStyle())


# the line


def test_the_line_is_the_contract_s(record: Record):
    assert record.line == LINE
    assert CONTRACT.match(record.line)


@given(moments, measurements)
def test_every_line_is_the_contract_s(moment: datetime, measured: Measurement):
    assert CONTRACT.fullmatch(LineStyle().format(moment, measured))


def test_a_moment_is_cut_not_rounded():
    late = MOMENT.replace(microsecond=999_999)
    assert LineStyle().format(late, MEASURED).startswith("2025-09-26T16:45:06Z: ")


def test_a_moment_of_another_zone_is_shown_in_utc():
    there = MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert LineStyle().format(there, MEASURED) == LINE


def test_milliseconds_when_asked_for():
    line = LineStyle(timestamp="milliseconds").format(MOMENT, MEASURED)
    assert line.startswith("2025-09-26T16:45:06.123Z: uptime ")


def test_the_container_s_uptime_when_asked_for():
    assert "uptime 1.000 hours" in LineStyle(uptime="container").format(MOMENT, MEASURED)


@pytest.mark.parametrize("unknown", ["host_uptime_seconds", "disk_free_bytes"])
def test_no_line_claims_a_value_that_was_not_measured(unknown: str):
    with pytest.raises(RecordError, match="cannot be measured"):
        LineStyle().format(MOMENT, dataclasses.replace(MEASURED, **{unknown: None}))


def test_a_value_that_the_line_does_not_show_may_be_unknown():
    assert LineStyle().format(MOMENT, dataclasses.replace(MEASURED, container_uptime_seconds=None)) == LINE


# what may stand as a line


@given(lines)
def test_an_accepted_line_is_one_line_for_everybody(line: str):
    assert line.strip()
    assert line.splitlines() == [line]
    assert f"{line}\n".encode().count(b"\n") == 1
    assert len(line) <= MAX_LINE_LENGTH
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in line)
    assert not set(line) & set("\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@pytest.mark.parametrize("line", ["a", "ä", "日本語", "😀", "a b", "x" * 4096, "😀" * 4096, "tab-free", "<b>&amp;"])
def test_an_ordinary_line_is_accepted(line: str):
    assert check_line(line) == line


@pytest.mark.parametrize("line", ["", " ", "\u3000\u00a0"])
def test_a_blank_line_is_not_accepted(line: str):
    with pytest.raises(RecordError, match="blank"):
        check_line(line)


def test_a_line_over_4096_characters_is_not_accepted():
    with pytest.raises(RecordError, match="4,097 characters; 4,096 are allowed"):
        check_line("x" * 4097)


BREAKING = "\0\t\n\r\x0b\x0c\x1b\x7f\x85\x9b\u2028\u2029\u202a\u202e\u2066\u2069\ud800\udfff"


@pytest.mark.parametrize("character", BREAKING, ids=ascii)
def test_a_character_that_breaks_hides_or_reorders_is_named_with_its_place(character: str):
    with pytest.raises(RecordError, match=rf"^character U\+{ord(character):04X} at column 3 is not allowed$"):
        check_line(f"ab{character}cd")


# JSON


@given(records)
def test_json_loses_nothing(record: Record):
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_json_shows_the_contract_s_fields_in_their_order(record: Record):
    assert list(record.to_json()) == [
        "id",
        "service",
        "instance",
        "timestamp",
        "host_uptime_seconds",
        "container_uptime_seconds",
        "disk_free_bytes",
        "disk_total_bytes",
        "line",
    ]


def test_json_shows_the_time_in_microseconds_with_z(record: Record):
    assert record.to_json()["timestamp"] == "2025-09-26T16:45:06.123456Z"
    whole = dataclasses.replace(record, timestamp=MOMENT.replace(microsecond=0))
    assert whole.to_json()["timestamp"] == "2025-09-26T16:45:06.000000Z"


def test_an_unknown_value_is_null_in_json(record: Record):
    assert dataclasses.replace(record, disk_total_bytes=None).to_json()["disk_total_bytes"] is None


def test_a_time_of_another_zone_is_taken_as_utc(record: Record):
    data = record.to_json() | {"timestamp": "2025-09-26T18:45:06.123456+02:00"}
    assert Record.from_json(data).timestamp == MOMENT


@pytest.mark.parametrize("name", ["instance", "host_uptime_seconds", "disk_total_bytes"])
def test_json_may_leave_out_what_may_be_unknown(record: Record, name: str):
    data = record.to_json()
    del data[name]
    assert getattr(Record.from_json(data), name) in ("", None)


@pytest.mark.parametrize("name", ["id", "service", "timestamp", "line"])
def test_json_may_not_leave_out_the_rest(record: Record, name: str):
    data = record.to_json()
    del data[name]
    with pytest.raises(RecordError, match=f"field '{name}' is missing"):
        Record.from_json(data)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", None),
        ("id", 7),
        ("id", "7"),
        ("service", None),
        ("service", "x" * 256),
        ("service", "a\nb"),
        ("instance", "a\u202eb"),
        ("timestamp", 0),
        ("timestamp", "yesterday"),
        ("timestamp", "2025-09-26T16:45:06"),
        ("timestamp", "0001-01-01T00:00:00+14:00"),
        ("host_uptime_seconds", -1),
        ("host_uptime_seconds", math.nan),
        ("host_uptime_seconds", math.inf),
        ("host_uptime_seconds", True),
        ("host_uptime_seconds", "1"),
        ("host_uptime_seconds", 10**400),
        ("disk_free_bytes", -1),
        ("disk_free_bytes", 1.5),
        ("disk_free_bytes", math.inf),
        ("disk_free_bytes", 2.0**63),
        ("disk_free_bytes", False),
        ("disk_free_bytes", 2**63),
        ("line", None),
        ("line", " "),
        ("line", "a\nb"),
        ("line", "\ud800"),
        ("line", "x" * 4097),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(record: Record, name: str, value: object):
    with pytest.raises(RecordError, match=f"^field '{name}': "):
        Record.from_json(record.to_json() | {name: value})


def test_a_whole_number_may_have_a_point_as_in_json(record: Record):
    read = Record.from_json(record.to_json() | {"disk_free_bytes": 5.0})
    assert (read.disk_free_bytes, type(read.disk_free_bytes)) == (5, int)


def test_an_unknown_field_is_refused_by_its_name(record: Record):
    with pytest.raises(RecordError, match="unknown field 'load'; known are id, service"):
        Record.from_json(record.to_json() | {"load": 1})


@pytest.mark.parametrize("data", [None, [], "x", 1])
def test_a_record_in_json_is_an_object(data: object):
    with pytest.raises(RecordError, match="must be a JSON object"):
        Record.from_json(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from([*Record.__dataclass_fields__, "x"]), json_values))
def test_any_json_object_is_a_record_or_an_error_of_ours(data: dict[str, object]):
    with contextlib.suppress(RecordError):
        assert Record.from_json(data).line == data["line"]


# the id


def test_ids_are_uuids_of_version_7_that_sort_by_their_time():
    ids = [new_id() for _ in range(100)]
    assert {(one.version, one.variant) for one in ids} == {(7, "specified in RFC 4122")}
    assert len(set(ids)) == 100
    times = [one.int >> 80 for one in ids]
    assert times == sorted(times)


def test_a_record_cannot_be_changed(record: Record):
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.id = UUID(int=0)  # type: ignore[misc]
