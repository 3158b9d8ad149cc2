"""Errors in one form: a line of text, or a problem of RFC 9457 for who asks for JSON."""

import json
from typing import Any

import pytest
from django.core.exceptions import DisallowedHost, RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent
from django.test import RequestFactory
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response

from statuslog import rest

DETAILS: list[tuple[Any, str]] = [
    ("wrong", "wrong"),
    (["wrong", "also"], "wrong"),
    ({"line": ["wrong"]}, "wrong"),
    ([], ""),
]


PROBLEM = "application/problem+json"


def answer(detail: Any, accept: str, query: str = "", error: type[APIException] = ValidationError) -> Response:
    class Wrong(rest.View):
        def get(self, request: Any) -> Response:
            raise error(detail)

    response = Wrong.as_view()(RequestFactory().get(f"/{query}", headers={"Accept": accept}))
    assert isinstance(response, Response)
    response.render()
    return response


@pytest.mark.parametrize(("detail", "text"), DETAILS)
def test_an_error_is_one_line_of_text(detail: Any, text: str):
    response = answer(detail, "*/*")
    assert (response.status_code, response["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert response.content.decode() == f"{text}\n"


@pytest.mark.parametrize(("detail", "text"), DETAILS)
def test_an_error_is_a_problem_when_json_is_asked_for(detail: Any, text: str):
    response = answer(detail, "application/json")
    assert (response.status_code, response["Content-Type"]) == (400, PROBLEM)
    problem = {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": text}
    assert json.loads(response.content) == problem


def test_a_problem_has_the_status_of_its_answer():
    response = answer("later", "application/json", error=rest.Unavailable)
    assert response.status_code == json.loads(response.content)["status"] == 503
    assert json.loads(response.content)["title"] == "Service Unavailable"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text/plain"),
        ("*/*", "text/plain"),
        ("text/*", "text/plain"),
        ("text/html, */*;q=0.1", "text/plain"),
        ("application/json", PROBLEM),
        ("application/*", PROBLEM),
        ("application/json, text/html", PROBLEM),
    ],
)
def test_text_is_first_and_json_for_who_prefers_it(accept: str, kind: str):
    assert answer("x", accept)["Content-Type"].startswith(kind)


def test_the_format_in_the_query_decides():
    assert answer("x", "*/*", "?format=json")["Content-Type"] == PROBLEM


@pytest.mark.parametrize("query", ["?format=xml", "?format=", "?format=TEXT"])
def test_an_unknown_format_is_the_client_s_error(query: str):
    response = answer("x", "*/*", query)
    assert response.content == b"unknown format: use ?format=text or ?format=json\n"


HANDLERS = pytest.mark.parametrize(("handler", "status"), [(rest.not_found, 404), (rest.bad_request, 400)])


@HANDLERS
@pytest.mark.parametrize(
    ("accept", "query", "kind"),
    [
        ("*/*", "", "text/plain"),
        ("text/html", "", "text/plain"),
        ("application/json;q=0.5, text/plain", "", "text/plain"),
        ("application/json", "", PROBLEM),
        ("application/problem+json", "", PROBLEM),
        ("application/json, text/plain;q=0.5", "", PROBLEM),
        ("*/*", "?format=json", PROBLEM),
        ("*/*", "?x=format=json", "text/plain"),
    ],
)
def test_errors_of_django_itself_have_the_same_form(handler: Any, status: int, accept: str, query: str, kind: str):
    response = handler(RequestFactory().get(f"/{query}", headers={"Accept": accept}), Exception())
    assert response.status_code == status
    assert response["Content-Type"].startswith(kind)
    if kind == PROBLEM:
        assert json.loads(response.content)["status"] == status


@HANDLERS
def test_a_query_that_django_refuses_to_read_does_not_spoil_the_error(handler: Any, status: int):
    assert handler(RequestFactory().get("/?" + "a&" * 2000), Exception()).status_code == status


def test_an_error_of_the_service_itself_shows_nothing_of_it():
    response = rest.server_error(RequestFactory().get("/"))
    assert (response.status_code, response["Content-Type"]) == (500, "text/plain; charset=utf-8")
    assert b"Traceback" not in response.content


def test_a_name_in_the_query_may_be_escaped():
    assert answer("x", "text/plain", "?%66ormat=json")["Content-Type"] == PROBLEM


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DisallowedHost(), ": the Host header is no host name, or none that this service answers to"),
        (TooManyFieldsSent(), ": too many parameters"),
        (RequestDataTooBig(), ": the body is too long"),
        (SuspiciousOperation(), ""),
    ],
)
def test_what_django_refuses_to_look_at_is_named(error: Exception, reason: str):
    response = rest.bad_request(RequestFactory().get("/"), error)
    assert response.content.decode() == f"bad request{reason}\n"
    assert int(response["Content-Length"]) == len(response.content)
