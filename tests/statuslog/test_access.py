"""Who may ask what, when there are tokens."""

from base64 import b64encode

import pytest
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.test import RequestFactory

from statuslog.access import STRANGER, NeedToken, presented
from statuslog.tokens import Token

READING, WRITING = "read-0123456789abcdef", "write-0123456789abcde"


@pytest.fixture
def ask(settings):
    """The status code of a request with this header Authorization, behind the middleware."""
    settings.API_TOKENS = (Token("read", READING.encode()), Token("write", WRITING.encode()))

    def view(request: HttpRequest) -> HttpResponse:
        assert "Authorization" not in request.headers
        return HttpResponse("ok")

    middleware = NeedToken(view)

    def ask(authorization: str | None, path: str = "/log", method: str = "GET", **headers: str) -> HttpResponseBase:
        if authorization is not None:
            headers["Authorization"] = authorization
        return middleware(RequestFactory().generic(method, path, headers=headers))

    return ask


def basic(text: str) -> str:
    return "Basic " + b64encode(text.encode()).decode()


def test_without_tokens_it_is_not_there(settings):
    settings.API_TOKENS = ()
    with pytest.raises(MiddlewareNotUsed):
        NeedToken(lambda request: HttpResponse())


def test_one_who_may_read(ask):
    for path in ("/log", "/", "/docs", "/metrics", "/schema"):
        assert ask(f"Bearer {READING}", path).status_code == 200
    assert ask(f"Bearer {READING}", "/log", "HEAD").status_code == 200


@pytest.mark.parametrize(("path", "method"), [("/status", "GET"), ("/status", "HEAD"), ("/log", "POST"), ("/x", "PUT")])
def test_to_write_takes_another_one(ask, path: str, method: str):
    assert ask(f"Bearer {READING}", path, method).status_code == 403
    assert ask(f"Bearer {WRITING}", path, method).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        *(None, "", "Bearer", "Bearer ", f"Bearer {READING}x", f"Bearer {READING}, Bearer {WRITING}", READING),
        *(f"Token {READING}", f"Digest {READING}", basic(READING), basic("a:b"), "Basic %%%", "Basic /////w=="),
    ],
)
def test_without_one_that_is_known(ask, authorization: str | None):
    for path in ("/", "/log", "/status", "/nowhere", "/healthz/", "/readyz/x"):
        answer = ask(authorization, path)
        assert answer.status_code == 401
        assert "Basic realm=" in answer["WWW-Authenticate"]
        assert "Bearer realm=" in answer["WWW-Authenticate"]
        assert READING not in answer.content.decode()


@pytest.mark.parametrize("authorization", [basic(f":{READING}"), basic(f"anybody:{READING}"), f"bearer  {READING} "])
def test_ways_to_send_it(ask, authorization: str):
    assert ask(authorization).status_code == 200


def test_a_password_may_have_a_colon():
    assert presented(basic("a:b:c")) == "b:c"


def test_health_is_open(ask):
    assert ask(None, "/healthz").status_code == ask(None, "/readyz").status_code == 200


def test_a_refusal_is_text_or_a_problem(ask):
    answer = ask(None)
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.content.startswith(b"a token is needed: ")
    answer = ask(None, Accept="application/json")
    assert answer["Content-Type"] == "application/problem+json"
    assert b'"status": 401' in answer.content


def test_at_the_open_paths_a_stranger_is_known_as_one(settings):
    settings.API_TOKENS = (Token("read", READING.encode()),)
    found: list[bool] = []

    def view(request: HttpRequest) -> HttpResponse:
        found.append(request.META[STRANGER])
        return HttpResponse()

    for headers in ({}, {"Authorization": f"Bearer {READING}"}):
        NeedToken(view)(RequestFactory().get("/readyz", headers=headers))
    assert found == [True, False]
