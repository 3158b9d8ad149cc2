"""Whose requests the own ones are, by `Sec-Fetch-Site` and `Origin`."""

import pytest
from django.test import RequestFactory

from statuslog.cross_site import is_of_another_origin

NAVIGATION = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


def other(method: str, headers: dict[str, str], *, secure: bool = False) -> bool:
    given = {"Host": "localhost:8202", **headers}
    return is_of_another_origin(RequestFactory().generic(method, "/log", secure=secure, headers=given))


@pytest.mark.parametrize("site", ["same-origin", "none", "Same-Origin"])
def test_what_the_browser_calls_ours_is_ours(site: str):
    assert not other("POST", {"Sec-Fetch-Site": site, "Origin": "https://behind.a.proxy.that.changes.host.example"})


@pytest.mark.parametrize("site", ["same-site", "cross-site", "cross-site,same-origin", "new-word"])
def test_all_else_is_not(site: str):
    assert other("POST", {"Sec-Fetch-Site": site, "Origin": "http://localhost:8202"})
    assert other("GET", {"Sec-Fetch-Site": site})


def test_a_link_may_be_followed_by_get_alone():
    assert not other("GET", NAVIGATION)
    assert not other("HEAD", {**NAVIGATION, "Sec-Fetch-Site": "same-site"})
    assert other("POST", NAVIGATION)


@pytest.mark.parametrize(
    ("host", "origin", "secure", "is_other"),
    [
        ("localhost:8202", "http://localhost:8202", False, False),
        ("LOCALHOST:8202", "http://localhost:8202", False, False),
        ("localhost", "http://localhost", False, False),
        ("localhost:80", "http://localhost", False, False),
        ("localhost", "https://localhost:443", True, False),
        ("[::1]:8202", "http://[::1]:8202", False, False),
        ("localhost:8202", "http://localhost:8199", False, True),
        ("localhost", "https://localhost", False, True),
        ("localhost", "http://127.0.0.1", False, True),
        ("localhost", "http://localhost.evil.example", False, True),
        ("localhost", "http://evil.example@localhost:81", False, True),
        ("localhost", "null", False, True),
        ("localhost", "localhost", False, True),
        ("localhost", "http://localhost:port", False, True),
        ("localhost", "http://localhost http://evil.example", False, True),
        ("localhost", "chrome-extension://localhost", False, True),
    ],
)
def test_of_older_browsers_the_origin_is_compared(host: str, origin: str, secure: bool, is_other: bool):
    assert other("POST", {"Host": host, "Origin": origin}, secure=secure) is is_other


def test_a_program_is_no_page():
    assert not other("POST", {})
    assert not other("POST", {"Origin": ""})
