"""The outermost middleware of each service: under which ids a request is answered, and one event of how it went.

Each of `observers` is told the same. Bodies, queries and credentials are in neither; a route is the pattern of the
URL and not the path, so that there are only so many.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from statuslog import events, tracing
from statuslog.tracing import QUIET, Trace

log = logging.getLogger(__name__)

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
OTHER = "other"  # a path that is none, or a file; a method that nothing here has
BATCH_SHOWN = 40  # ids in one event, whose length has a bound (events.py)

# Route, method, status, seconds.
Observer = Callable[[str, str, int, float], None]
observers: list[Observer] = []


class Tracing:
    """Begins the request's context, and ends it with the answer: with its last byte, if that is a stream."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        trace = tracing.begin(request.META.get("HTTP_X_REQUEST_ID", ""), request.META.get("HTTP_TRACEPARENT", ""))
        response = self.get_response(request)
        if self.tells(request, trace):
            for name, value in tracing.headers().items():
                response[name] = value
        if response.streaming:
            _watch(request, response, trace, started)
        else:
            _done(request, response, trace, started)
        return response

    def tells(self, request: HttpRequest, trace: Trace) -> bool:
        """Whether the ids are in the answer."""
        return True


class InternalTracing(Tracing):
    """The same where services ask each other: whoever has sent both ids knows them, and to read two headers more costs
    it as much as to log the request."""

    def tells(self, request: HttpRequest, trace: Trace) -> bool:
        return not (trace.parent_id and trace.request_id == request.META.get("HTTP_X_REQUEST_ID"))


def _watch(request: HttpRequest, response: HttpResponseBase, trace: Trace, started: float) -> None:
    """The request is done when the server closes its answer, as it does in any case."""
    close = response.close

    def closing() -> None:
        response.close = close  # type: ignore[method-assign]
        try:
            close()
        finally:
            _done(request, response, trace, started)

    response.close = closing  # type: ignore[method-assign]
    if not hasattr(response, "file_to_stream"):
        response.streaming_content = _reported(response.streaming_content)  # type: ignore[attr-defined]


def _reported(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The parts; what breaks them off is logged here, as the server does it only when the context has ended."""
    try:
        yield from parts
    except Exception:
        log.exception("the answer broke off")
        raise


def _done(request: HttpRequest, response: HttpResponseBase, trace: Trace, started: float) -> None:
    seconds = time.perf_counter() - started
    match = request.resolver_match
    route = f"/{match.route}" if match else OTHER
    method = request.method if request.method in METHODS else OTHER
    for observe in observers:
        observe(route, method, response.status_code, seconds)
    level = logging.DEBUG if route in QUIET else logging.INFO
    if log.isEnabledFor(level):
        _report(level, trace, route, method, response.status_code, round(seconds * 1000, 3))
    tracing.end()


def _report(level: int, trace: Trace, route: str, method: str, status: int, milliseconds: float) -> None:
    if level == logging.INFO and len(trace.batch) <= BATCH_SHOWN and (form := events.only_form()):
        events.write(form.of_request(trace, route, method, status, milliseconds))
        return
    fields: dict[str, Any] = {"route": route, "method": method, "status": status, "duration_ms": milliseconds}
    if trace.parent_id:
        fields["parent_id"] = trace.parent_id
    if trace.batch:
        fields["batch"] = trace.batch[:BATCH_SHOWN]
    log.log(level, "%s %s %d", method, route, status, extra={"fields": fields})
    for start in range(BATCH_SHOWN, len(trace.batch), BATCH_SHOWN):
        more = {"batch": trace.batch[start : start + BATCH_SHOWN]}
        log.log(level, "%s %s, its batch goes on", method, route, extra={"fields": more})
