"""Finding the time in a line, in the notations that other programs use."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuslog.times import find_time

MOMENT = datetime(2025, 9, 28, 13, 18, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        # ISO 8601
        "2025-09-28T13:18:09Z",
        "2025-09-28t13:18:09z",
        "2025-09-28 13:18:09Z",
        "2025-09-28_13:18:09Z",
        "2025-09-28T15:18:09+02:00",
        "2025-09-28T15:18:09+0200",
        "2025-09-28T15:18:09+02",
        "2025-09-28T07:48:09-05:30",
        "2025-09-28T07:48:09\u221205:30",
        "2025-09-28T13:18:09-00:00",
        "20250928T131809Z",
        "20250928T151809+0200",
        "2025-09-28T13:18:09Z[UTC]",
        "2025-09-28T15:18:09+02:00[Europe/Helsinki]",
        # UTC as programs write it
        "2025-09-28 13:18:09 UTC",
        "2025-09-28 13:18:09UTC",
        "2025-09-28 13:18:09 utc",
        "2025-09-28 13:18:09 GMT",
        "2025-09-28 13:18:09 (UTC)",
        "[2025-09-28 13:18:09 UTC]",
        "2025/09/28 13:18:09 UTC",
        "2025-09-28, 13:18:09 UTC",
        "2025-09-28 01:18:09 PM UTC",
        "2025-09-28 13:18:09 +0000",
        "2025-09-28 13:18:09+00",
        "2025-09-28 13:18:09 +0000 UTC",
        "2025-09-28 15:18:09 +0200 CEST",
        "2025-09-28T13:18:09+00:00Z",
        "2025-09-28 15:18:09 UTC+2",
        "2025-09-28 15:18:09 GMT+0200",
        "Sun, 28 Sep 2025 13:18:09 GMT",
        "28/Sep/2025:13:18:09 +0000",
        "Sun Sep 28 13:18:09 UTC 2025",
        "Sun Sep 28 01:18:09 PM UTC 2025",
        "Sun Sep 28 15:18:09 +0200 2025",
        "Sun Sep 28 2025 13:18:09 GMT+0000 (Coordinated Universal Time)",
        "September 28, 2025 1:18:09 pm UTC",
    ],
)
@pytest.mark.parametrize(
    "line", ["{}", "{}: uptime", "Timestamp1: {} x", "[1] time={}, x", "a line, and its time is {}."]
)
def test_a_time_is_found_wherever_it_stands(line: str, text: str):
    assert find_time(line.format(text)) == MOMENT


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("2025-09-28T13:18:09.5Z", 500_000),
        ("2025-09-28T13:18:09,5Z", 500_000),
        ("2025-09-28T13:18:09.002Z", 2000),
        ("2025-09-28T13:18:09.123456Z", 123_456),
        ("2025-09-28T13:18:09.1234567Z", 123_456),
        ("2025-09-28T13:18:09.999999999Z", 999_999),
        ("2025-09-28 13:18:09.000000999 +0000 UTC m=+0.0001", 0),
        ("2025-09-28 15:18:09.250000 +02:00", 250_000),
        ("Sun Sep 28 13:18:09.25 UTC 2025", 250_000),
    ],
)
def test_decimals_are_cut_to_the_microsecond(text: str, microseconds: int):
    assert find_time(text) == MOMENT.replace(microsecond=microseconds)


@pytest.mark.parametrize("text", ["2025-09-28T13:18Z", "2025-09-28 15:18 +0200", "28 Sep 2025 13:18 UTC"])
def test_seconds_may_be_missing(text: str):
    assert find_time(text) == MOMENT.replace(second=0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "----",
        # whose time?
        "2025-09-28T13:18:09",
        "2025-09-28 13:18:09: uptime",
        "2025-09-28T13:18:09 EEST",
        "Sun Sep 28 13:18:09 EEST 2025",
        "Sun Sep 28 13:18:09 2025",
        "13:18:09 UTC",
        "2025-09-28 UTC",
        "1759065489",
        # two things at once, or half of something longer
        "2025-09-28T13:18:09+02:00Z",
        "2025-09-28 13:18:09 +0200 UTC",
        "2025-09-28T13:18:09+02:00:30",
        "2025-09-28T13:18:09.1234567890Z",
        "2025-09-28T13:18:09Zulu",
        "2025-09-28 13:18:09 UTCx",
        "2025-09-28 13:18:09 +12 days",
        "2025-09-28 2025-09-28",
        "20250928 1318 UTC",
        "12025-09-28T13:18:09Z",
        "2025-09-28T13:18:0Z",
        # there is none such
        "2025-02-30T00:00:00Z",
        "2025-13-01T00:00:00Z",
        "2025-09-28T24:00:00Z",
        "2025-09-28T13:60:00Z",
        "2025-09-28 13:18:09 PM UTC",
        "2025-09-28T13:18:09+24:00",
        "2025-09-28 13:18:09 UTC+25",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-01:00",
        "\u0662\u0660\u0662\u0665-09-28T13:18:09Z",
    ],
)
def test_what_is_no_time_or_has_no_clear_zone_is_none(text: str):
    assert find_time(text) is None


def test_the_first_time_counts():
    assert find_time("2025-02-30T00:00:00Z 2025-09-28T15:18:09+02:00 2026-01-01T00:00:00Z") == MOMENT


OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(timezones=OFFSETS).filter(lambda moment: 1 < moment.year < 9999), st.sampled_from("T "))
def test_every_time_that_python_writes_is_found(moment: datetime, separator: str):
    found = find_time(f"x {moment.isoformat(separator)}: y")
    assert found == moment
    assert found.tzinfo is UTC


@given(st.text())
def test_any_text_does_no_harm(text: str):
    found = find_time(text)
    assert found is None or found.tzinfo is UTC
