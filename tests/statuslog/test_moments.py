"""Points in time as people type them."""

from datetime import UTC, datetime, timedelta

import pytest

from statuslog import moments
from tests.quantities import DURATIONS, NO_DURATIONS

NOW = datetime(2026, 3, 1, 0, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return NOW

    monkeypatch.setattr(moments, "datetime", Clock)


@pytest.mark.parametrize(("text", "meant"), DURATIONS.items())
def test_so_long_ago(text: str, meant: timedelta):
    assert moments.parse(text) == NOW - meant
    assert moments.moves(text)


@pytest.mark.parametrize(
    ("text", "meant", "moves"),
    [
        ("2025-03-01", datetime(2025, 3, 1, tzinfo=UTC), False),
        ("today", datetime(2026, 3, 1, tzinfo=UTC), True),
        ("yesterday", datetime(2026, 2, 28, tzinfo=UTC), True),
        ("2025-09-26T16:45:06Z", datetime(2025, 9, 26, 16, 45, 6, tzinfo=UTC), False),
        ("2025-09-26T18:45:06+02:00", datetime(2025, 9, 26, 16, 45, 6, tzinfo=UTC), False),
        ("2025-09-26T18:45:06 02:00", datetime(2025, 9, 26, 16, 45, 6, tzinfo=UTC), False),
        ("2025-09-26T18:45:06 0200", datetime(2025, 9, 26, 16, 45, 6, tzinfo=UTC), False),
    ],
)
def test_a_time_or_a_day(text: str, meant: datetime, moves: bool):
    assert moments.parse(text) == meant
    assert moments.moves(text) is moves


@pytest.mark.parametrize("text", ["9999999d", "999999999w"])
def test_longer_ago_than_there_are_years_is_the_beginning(text: str):
    assert moments.parse(text) == moments.BEGINNING


@pytest.mark.parametrize(
    "text", [*NO_DURATIONS, "tomorrow", "2025-02-29", "2025-3-1", "2025-03", "2025-09-26T16:45:06", "0000-01-01"]
)
def test_what_is_no_time_is_refused_with_the_forms(text: str):
    with pytest.raises(ValueError, match="such as 2025-09-26, today or yesterday; or so long ago"):
        moments.parse(text)
