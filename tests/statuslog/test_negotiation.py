"""Which form a client likes best: RFC 9110, 12.5.1 and 12.5.3, and what clients send beside it."""

import time

import pytest

from statuslog.negotiation import MOST_MEMBERS, preferred, takes_gzip

TEXT, JSON, NDJSON, CSV = "text/plain", "application/json", "application/x-ndjson", "text/csv"


def best(accept: str, *offers: str) -> str | None:
    offers = offers or (TEXT, JSON)
    choice = preferred(accept, offers)
    return None if choice is None else offers[choice.number]


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", TEXT),
        (" , ", TEXT),
        ("*/*", TEXT),
        ("*", TEXT),
        ("application/json", JSON),
        ("application/*", JSON),
        ("APPLICATION/JSON", JSON),
        ("application/json, text/plain;q=0.5", JSON),
        ("text/plain;q=0.5,application/json", JSON),
        ("application/json;q=0.5, text/plain", TEXT),
        ("application/json;q=0.5, text/plain;q=0.4", JSON),
        ("application/json;q=0.001", JSON),
        ("application/json;Q=0.2 , text/plain ; q = 0.3", TEXT),
        ("application/json;q=.9, text/plain;q=.8", JSON),
        ("application/json;q=1.000, text/plain;q=0.999", JSON),
        ("text/html, image/gif, *; q=.2, */*; q=.2", TEXT),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", TEXT),
    ],
)
def test_the_weights_decide(accept: str, form: str):
    assert best(accept) == form


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("application/json;q=0", None),
        ("application/json;q=0.000", None),
        ("*/*;q=0", None),
        ("image/png", None),
        ("text/plain;q=0, application/json;q=0, */*", None),
        ("application/json;q=0, */*", TEXT),
        ("text/plain;q=0, */*", JSON),
        ("text/*;q=0, */*;q=0.1", JSON),
        ("*/*;q=0, application/json", JSON),
        ("text/plain, */*;q=0", TEXT),
    ],
)
def test_a_weight_of_nothing_excludes(accept: str, form: str | None):
    assert best(accept) == form


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("*/*, application/json", JSON),
        ("application/*, text/plain", TEXT),
        ("text/*;q=0.9, text/plain;q=0.1, application/json;q=0.5", JSON),
        ("*/*;q=0.9, application/json;q=0.1", TEXT),
        ("application/json, text/plain, */*", JSON),
        ("text/plain, application/json", TEXT),
        ("application/json;q=0.5, text/plain;q=0.5", JSON),
    ],
)
def test_of_two_alike_the_one_that_is_named_more_exactly_and_then_first(accept: str, form: str):
    assert best(accept) == form


@pytest.mark.parametrize(
    ("form", "only_it"),
    [
        ("text/plain;format=flowed", "text/plain;format=flowed"),
        ("text/plain", "text/plain;q=0.7"),
        ("text/html", "text/*;q=0.3"),
        ("image/jpeg", "*/*;q=0.5"),
        ("text/plain;format=fixed", "text/plain;format=fixed;q=0.4"),
        ("text/html;level=3", "text/*;q=0.3"),
    ],
)
def test_the_example_of_the_standard(form: str, only_it: str):
    """12.5.1: the most exact range has precedence, so none but its own weight may move the form."""
    ranges = [
        *("text/*;q=0.3", "text/plain;q=0.7", "text/plain;format=flowed", "text/plain;format=fixed;q=0.4", "*/*;q=0.5"),
    ]
    without = [one.partition(";q=")[0] + ";q=0" if one == only_it else one for one in ranges]
    assert best(", ".join(ranges), form) == form
    assert best(", ".join(without), form) is None


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("application/json;charset=utf-8, text/plain;q=0.5", JSON),
        ('application/json; charset="UTF-8"; q=0.4, text/plain;q=0.5', TEXT),
        ("application/json;version=1, */*;q=0.1", JSON),  # there is none, and ours is the nearest
        ("application/json;version=1;q=0, */*;q=0.1", TEXT),
        ("text/plain;format=flowed;q=0, */*", TEXT),  # ours is not flowed
        ('application/json;a="b,c;q=0";q=0.9, text/plain;q=0.8', JSON),
        ("application/json;q=0.4;ext=1, text/plain;q=0.5", TEXT),
    ],
)
def test_parameters(accept: str, form: str):
    assert best(accept) == form


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("json", None),
        ("text", None),
        ('"', None),
        (";q=1", None),
        ("/", None),
        ("*/json", None),
        ("\x00\xff", None),
        ("json, application/json", JSON),
        ('application/json, "text/plain', JSON),
        ('application/json;a="b, text/plain', JSON),
        ("application/json;q=abc, text/plain;q=0.9", JSON),
        ("application/json;q=, text/plain;q=0.9", JSON),
        ("application/json;q=-1, text/plain;q=0.9", JSON),
        ("application/json;q=nan, text/plain;q=0.9", JSON),
        ("application/json;q=7, text/plain;q=0.9", JSON),
        ("application/json;;;q=0.3,, text/plain;q=0.9", TEXT),
        ("application/json;q=0.3;q=1, text/plain;q=0.9", TEXT),
    ],
)
def test_what_is_wrong_in_the_header_names_nothing_and_breaks_nothing(accept: str, form: str | None):
    assert best(accept) == form


def test_more_than_two_forms():
    offers = (TEXT, JSON, NDJSON, CSV)
    assert best("text/csv, application/*;q=0.5", *offers) == CSV
    assert best("application/*", *offers) == JSON
    assert best("application/*;q=0.5, application/json;q=0.1", *offers) == NDJSON


@pytest.mark.parametrize("part", ['"', '"\\', ";", "a/b;", "a/b,", '"a', ",", "a/b;q=0.1,", "\\"])
def test_no_header_takes_long(part: str):
    header = part * (8190 // len(part))
    started = time.perf_counter()
    preferred(header, (TEXT, JSON))
    takes_gzip(header)
    assert time.perf_counter() - started < 0.1


def test_what_is_remembered_has_a_bound():
    for number in range(1000):
        assert best(f"application/json;v={number}") == JSON
        assert takes_gzip(f"gzip;v={number}")
    assert preferred.cache_info().currsize < 200
    assert takes_gzip.cache_info().currsize < 200
    assert best("a/b," * MOST_MEMBERS + TEXT) is None


@pytest.mark.parametrize(
    ("accept", "compressed"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("br, gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("gzip;q=0.1", True),  # plain bytes are always there, and nobody asks for them by name
        ("gzip;q=1.0,deflate;q=0.6,identity;q=0.3", True),
        ("gzip, identity", True),
        ("gzip, *;q=0", True),
        ("*;q=0, gzip;q=0.2", True),
        ("identity;q=0, *", True),
        ("*, identity;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip ; q=0", False),
        ("gzip;Q=0, br", False),
        ("x-gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("gzip;q=0.5, identity", False),
        ("gzip;q=0.5, *", False),
        ("identity, gzip;q=0.5", False),
        ("identity", False),
        ("*", False),
        ("*;q=0", False),
        ("identity;q=0", False),
        ("deflate, br", False),
        ("notgzip, gzip2, pack-gzip", False),
        ('"', False),
    ],
)
def test_gzip_for_who_likes_it_no_less_than_plain_bytes(accept: str, compressed: bool):
    assert takes_gzip(accept) is compressed
