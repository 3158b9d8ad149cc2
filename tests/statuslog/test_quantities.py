"""The one grammar of durations and sizes."""

import re
from datetime import timedelta

import pytest

from statuslog import quantities
from statuslog.quantities import DURATION_PATTERN, Share, bytes_of, duration, size, size_or_share
from tests.quantities import DURATIONS, NO_DURATIONS, NO_SHARES, NO_SIZES, SHARES, SIZES


@pytest.mark.parametrize(("text", "meant"), DURATIONS.items())
def test_a_duration(text: str, meant: timedelta):
    assert duration(text) == meant
    assert re.search(DURATION_PATTERN, text)


@pytest.mark.parametrize("text", NO_DURATIONS)
def test_what_is_no_duration_is_refused_with_the_form(text: str):
    with pytest.raises(ValueError, match="such as 90s, 15m, 1h30m, 2d or 1w"):
        duration(text)
    assert not re.fullmatch(DURATION_PATTERN, text)


@pytest.mark.parametrize("text", ["999999999w", "999999999d999999999h"])
def test_a_duration_beyond_all_others_is_the_longest(text: str):
    assert duration(text) == timedelta.max


@pytest.mark.parametrize(("text", "meant"), SIZES.items())
def test_a_size(text: str, meant: int):
    assert size(text) == size_or_share(text) == meant


@pytest.mark.parametrize("text", NO_SIZES)
def test_what_is_no_size_is_refused_with_the_form(text: str):
    with pytest.raises(ValueError, match=r"such as 1048576, 500M or 1\.5G"):
        size(text)


@pytest.mark.parametrize(("text", "percent"), SHARES.items())
def test_a_share(text: str, percent: float):
    share = size_or_share(text)
    assert isinstance(share, Share)
    assert bytes_of(share, 1000) == percent * 10


@pytest.mark.parametrize("text", NO_SHARES)
def test_what_is_no_share_is_refused_with_the_form(text: str):
    with pytest.raises(ValueError, match="a share of the disk, such as 5%"):
        size_or_share(text)


def test_a_size_is_no_share():
    assert bytes_of(7, 1000) == 7


def test_the_largest_size():
    assert size("8388607T") < quantities.LARGEST_SIZE
    with pytest.raises(ValueError, match="less than 8,388,608T"):
        size("8388608T")
