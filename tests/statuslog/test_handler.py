"""The request of the three services: host names with underscores, and a `Content-Type` that breaks nothing."""

import pytest
from django.core.exceptions import DisallowedHost
from django.test import RequestFactory
from pytest_django import Settings

from statuslog.handler import Request


def request(**environ: str) -> Request:
    return Request({**RequestFactory().get("/?a=%41").META, **environ})


@pytest.mark.parametrize("host", ["a_b", "A_b:80", "a_b.", "_", "a-b", "[::1]:80"])
def test_any_host_that_is_allowed(settings: Settings, host: str):
    settings.ALLOWED_HOSTS = ["*"]
    assert request(HTTP_HOST=host).get_host() == host


@pytest.mark.parametrize(
    ("host", "allowed"), [("a_b", ["a-b"]), ("a_b", ["b"]), ("a_b\n", ["*"]), ("a_b:", ["*"]), ("a_b c", ["*"])]
)
def test_what_is_not_allowed_or_no_host(settings: Settings, host: str, allowed: list[str]):
    settings.ALLOWED_HOSTS = allowed
    with pytest.raises(DisallowedHost):
        request(HTTP_HOST=host).get_host()


@pytest.mark.parametrize(
    "charset", ["rot13", "undefined", "idna", "punycode", "utf-16", "hex", "none-such", "", "\xff"]
)
def test_a_charset_that_is_none_is_left_out(charset: str):
    found = request(CONTENT_TYPE=f"text/plain; charset={charset}")
    assert (found.GET["a"], found.content_type) == ("A", "text/plain")


def test_another_charset_stays():
    assert request(CONTENT_TYPE="text/plain; charset=latin-1").encoding == "latin-1"
