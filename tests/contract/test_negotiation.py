"""Which form an answer has: `Accept` and `Accept-Encoding` with their weights, the same on every path."""

import pytest

from tests.contract.client import JSON, PROBLEM, TEXT, ask, exchange, get, post
from tests.processes import Services

pytestmark = pytest.mark.live

BOTH_FORMS = [
    ("service1", "/status"),
    ("service1", "/healthz"),
    ("service1", "/log"),
    ("service2", "/status"),
    ("service2", "/healthz"),
    ("storage", "/healthz"),
    ("storage", "/log"),
]
ERRORS = [
    ("service1", "DELETE", "/status"),
    ("service1", "GET", "/nope"),
    ("service1", "GET", "/log?sevice=a"),
    ("service2", "DELETE", "/healthz"),
    ("storage", "POST", "/log"),
    ("storage", "GET", "/log?since=soon"),
]
WEIGHTS = [
    ("application/json, text/plain;q=0.5", JSON),
    ("text/plain;q=0.5, APPLICATION/JSON", JSON),
    ("application/json;q=0.5, text/plain", TEXT),
    ("application/json;q=0, */*", TEXT),
    ("text/plain;q=0, */*", JSON),
    ("text/*;q=0.2, application/*;q=0.3", JSON),
    ("application/json, text/plain, */*", JSON),
    ("text/html;q=0.9, */*;q=0.8", TEXT),
    ("application/json;q=high", JSON),
]


@pytest.mark.parametrize(("name", "path"), BOTH_FORMS)
def test_the_weights_of_accept(services: Services, name: str, path: str):
    url = f"{getattr(services, name)}{path}"
    kinds = {accept: get(url, headers={"Accept": accept}).headers["Content-Type"] for accept, _ in WEIGHTS}
    assert kinds == dict(WEIGHTS)


@pytest.mark.parametrize(("name", "method", "path"), ERRORS)
def test_the_weights_of_accept_for_an_error(services: Services, name: str, method: str, path: str):
    url = f"{getattr(services, name)}{path}"
    answers = {accept: ask(method, url, headers={"Accept": accept}) for accept, _ in WEIGHTS}
    assert {answer.status_code // 100 for answer in answers.values()} == {4}
    wanted = {accept: PROBLEM if kind == JSON else kind for accept, kind in WEIGHTS}
    assert {accept: answer.headers["Content-Type"] for accept, answer in answers.items()} == wanted


@pytest.mark.parametrize("name", ["service1", "service2"])
@pytest.mark.parametrize("accept", ["application/json;q=0", "*/*;q=0", "text/*;q=0, application/*;q=0, */*", "json"])
def test_what_the_client_excludes_is_406(services: Services, name: str, accept: str):
    answer = get(f"{getattr(services, name)}/status", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["Content-Type"]) == (406, TEXT)
    assert services.vstorage.read_bytes() == b""


def test_a_header_in_several_lines_is_one(services: Services):
    request = b"GET /status HTTP/1.1\r\nHost: a\r\nAccept: text/plain;q=0.5\r\nAccept: application/json\r\n"
    answer = exchange(services.ports["service2"], request + b"Connection: close\r\n\r\n")
    assert b"\r\nContent-Type: application/json\r\n" in answer


@pytest.mark.parametrize(("name", "path"), [("service1", "/status"), ("service1", "/log"), ("service2", "/healthz")])
def test_the_format_in_the_query_wins(services: Services, name: str, path: str):
    url = f"{getattr(services, name)}{path}"
    assert get(url, params={"format": "json"}, headers={"Accept": "text/plain"}).headers["Content-Type"] == JSON
    assert get(url, params={"format": "text"}, headers={"Accept": JSON}).headers["Content-Type"] == TEXT


@pytest.mark.parametrize("name", ["service1", "storage"])
def test_the_weights_of_accept_among_all_forms_of_the_log(services: Services, name: str):
    post(f"{services.storage}/log", b"a")
    url = f"{getattr(services, name)}/log"
    accept = "text/csv;q=0.4, application/x-ndjson;q=0.6, application/json;q=0.5, text/plain;q=0"
    assert get(url, headers={"Accept": accept}).headers["Content-Type"] == "application/x-ndjson"
    with ask("GET", f"{url}?follow=1&tail=1", headers={"Accept": "text/plain;q=0.1, text/*"}, stream=True) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"


ENCODINGS = {
    "gzip": True,
    "GZIP;q=0.5": True,
    "br, gzip;q=0.8, *;q=0.1": True,
    "gzip, identity;q=0.5": True,
    "gzip;q=0": False,
    "gzip;q=0, *": False,
    "*;q=0": False,
    "gzip;q=0.5, identity": False,
    "identity": False,
    "*": False,
}


@pytest.fixture(scope="module")
def static_files(system: Services) -> list[tuple[str, str]]:
    """Of the page and of the admin a style sheet."""
    page, login = get(system.service1).text, get(f"{system.admin}/admin/login/").text
    return [
        ("service1", "/page/" + page.partition('href="page/')[2].partition('"')[0]),
        ("admin", "/admin/static/" + login.partition('href="/admin/static/')[2].partition('"')[0]),
    ]


def test_the_weights_of_accept_encoding(services: Services, static_files: list[tuple[str, str]]):
    for _ in range(20):
        post(f"{services.storage}/log", b"a line that is repeated")
    for name, path in [
        *static_files,
        *(("service1", "/"), ("service1", "/log"), ("service1", "/log?format=json&limit=20"), ("storage", "/log")),
    ]:
        url = f"{getattr(services, name)}{path}"
        answers = {accept: get(url, headers={"Accept-Encoding": accept}) for accept in ENCODINGS}
        assert {answer.status_code for answer in answers.values()} == {200}
        assert {accept: "Content-Encoding" in answer.headers for accept, answer in answers.items()} == ENCODINGS, url
        assert all("Accept-Encoding" in answer.headers["Vary"] for answer in answers.values())
