"""What the outermost middleware adds to an answer, and what it says of it."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import RequestFactory
from django.urls import resolve

from statuslog import middleware, tracing
from statuslog.middleware import InternalTracing, Tracing

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def answer(response: HttpResponseBase, path: str = "/log", method: str = "GET", **headers: str) -> HttpResponseBase:
    """The response, as it leaves the middleware; the path is one of storage's."""
    request = RequestFactory().generic(method, path, headers=headers)

    def view(request: HttpRequest) -> HttpResponseBase:
        if path != "/nowhere":
            request.resolver_match = resolve(request.path)
        return response

    return Tracing(view)(request)


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is logged."""
    events: list[logging.LogRecord] = []
    monkeypatch.setattr(middleware.log, "handle", events.append)
    monkeypatch.setattr(middleware.log, "isEnabledFor", lambda level: True)
    return events


@pytest.fixture(autouse=True)
def no_database() -> Iterator[None]:
    """With a stream Django closes connections that a test without the database must not ask for."""
    request_finished.disconnect(close_old_connections)
    yield
    request_finished.connect(close_old_connections)


def test_the_ids_come_back(events: list[Any]):
    given = {"X-Request-ID": "mine", "traceparent": f"00-{TRACE}-{SPAN}-01"}
    headers = answer(HttpResponse(), **given).headers
    assert headers["X-Request-ID"] == "mine"
    version, trace_id, span_id, flags = headers["traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", TRACE, "01")
    assert span_id != SPAN
    assert events[0].fields["parent_id"] == SPAN


def test_what_is_no_id_does_not_come_back():
    headers = answer(HttpResponse(), **{"X-Request-ID": '"><script>', "traceparent": "00-x-y-z"}).headers
    assert len(headers["X-Request-ID"]) == 32
    assert "x-y-z" not in headers["traceparent"]


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"X-Request-ID": "mine", "traceparent": f"00-{TRACE}-{SPAN}-01"}, False),
        ({"X-Request-ID": "mine"}, True),
        ({"traceparent": f"00-{TRACE}-{SPAN}-01"}, True),
        ({"X-Request-ID": "no id", "traceparent": f"00-{TRACE}-{SPAN}-01"}, True),
        ({}, True),
    ],
)
def test_a_service_is_not_told_what_it_has_said(headers: dict[str, str], told: bool):
    request = RequestFactory().get("/log", headers=headers)
    response = InternalTracing(lambda request: HttpResponse())(request)
    assert ("X-Request-ID" in response.headers, "traceparent" in response.headers) == (told, told)


def test_an_event_says_how_it_went(events: list[Any]):
    answer(HttpResponse(status=503), "/log?contains=secret", Authorization="Bearer secret")
    (event,) = events
    assert (event.levelname, event.getMessage()) == ("INFO", "GET /log 503")
    assert event.fields.keys() == {"route", "method", "status", "duration_ms"}
    assert (event.fields["route"], event.fields["method"], event.fields["status"]) == ("/log", "GET", 503)
    assert 0 < event.fields["duration_ms"] < 1000


def test_there_are_only_so_many_routes_and_methods(events: list[Any]):
    answer(HttpResponse(), "/nowhere", "BREW")
    assert (events[0].fields["route"], events[0].fields["method"]) == ("other", "other")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/edition"])
def test_what_programs_ask_again_and_again_is_hidden(events: list[Any], path: str):
    answer(HttpResponse(status=503), path)
    assert events[0].levelname == "DEBUG"


def test_a_request_is_over_with_its_answer():
    answer(HttpResponse())
    assert tracing.current() is None


def test_a_stream_is_over_when_it_is_closed(events: list[Any]):
    response = answer(StreamingHttpResponse(iter([b"a", b"b"])))
    assert tracing.current() and not events
    assert b"".join(response) == b"ab"
    assert tracing.current() and not events
    response.close()
    response.close()
    assert tracing.current() is None
    assert len(events) == 1


def test_a_stream_that_is_never_read_is_over_too(events: list[Any]):
    answer(StreamingHttpResponse(iter([b"a"]))).close()
    assert len(events) == 1


def test_a_stream_that_breaks_off_says_why(events: list[Any]):
    def parts() -> Iterator[bytes]:
        yield b"a"
        raise OSError("storage hung up")

    response = answer(StreamingHttpResponse(parts()))
    with pytest.raises(OSError, match="hung up"):
        list(response)
    response.close()
    assert [event.levelname for event in events] == ["ERROR", "INFO"]
    assert "hung up" in str(events[0].exc_info[1])


def test_all_of_a_large_batch_is_named(events: list[Any]):
    def view(request: HttpRequest) -> HttpResponse:
        tracing.note_batch(f"{number:03}" for number in range(100))
        return HttpResponse()

    Tracing(view)(RequestFactory().get("/log"))
    assert [name for event in events for name in event.fields["batch"]] == [f"{number:03}" for number in range(100)]
    assert max(len(event.fields["batch"]) for event in events) < 50


def test_observers_are_told(monkeypatch: pytest.MonkeyPatch):
    seen: list[Any] = []
    monkeypatch.setattr(middleware, "observers", [lambda *what: seen.append(what)])
    answer(HttpResponse(status=404), "/nowhere")
    ((route, method, code, seconds),) = seen
    assert (route, method, code) == ("other", "GET", 404)
    assert 0 < seconds < 1
