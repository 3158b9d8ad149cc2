"""Errors in one form: a line of text, or `{"detail": …}` for who asks for JSON."""

import json
from typing import Any

import pytest
from django.test import RequestFactory
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from statuslog import rest

DETAILS: list[tuple[Any, str]] = [
    ("wrong", "wrong"),
    (["wrong", "also"], "wrong"),
    ({"line": ["wrong"]}, "wrong"),
    ([], ""),
]


def answer(detail: Any, accept: str, query: str = "") -> Response:
    class Wrong(rest.View):
        def get(self, request: Any) -> Response:
            raise ValidationError(detail)

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
def test_an_error_is_json_when_asked_for(detail: Any, text: str):
    response = answer(detail, "application/json")
    assert (response.status_code, response["Content-Type"]) == (400, "application/json")
    assert json.loads(response.content) == {"detail": text}


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text/plain"),
        ("*/*", "text/plain"),
        ("text/*", "text/plain"),
        ("text/html, */*;q=0.1", "text/plain"),
        ("application/json", "application/json"),
        ("application/*", "application/json"),
    ],
)
def test_text_is_first_and_json_for_who_prefers_it(accept: str, kind: str):
    assert answer("x", accept)["Content-Type"].startswith(kind)


def test_the_format_in_the_query_decides():
    assert answer("x", "*/*", "?format=json")["Content-Type"] == "application/json"


@pytest.mark.parametrize(("handler", "status"), [(rest.not_found, 404), (rest.bad_request, 400)])
@pytest.mark.parametrize(
    ("accept", "kind"), [("*/*", "text/plain"), ("text/html", "text/plain"), ("application/json", "application/json")]
)
def test_errors_of_django_itself_have_the_same_form(handler: Any, status: int, accept: str, kind: str):
    response = handler(RequestFactory().get("/", headers={"Accept": accept}), Exception())
    assert response.status_code == status
    assert response["Content-Type"].startswith(kind)


def test_an_error_of_the_service_itself_shows_nothing_of_it():
    response = rest.server_error(RequestFactory().get("/"))
    assert (response.status_code, response["Content-Type"]) == (500, "text/plain; charset=utf-8")
    assert b"Traceback" not in response.content
