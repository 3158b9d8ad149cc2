"""Spans for OpenTelemetry, of what the middleware and `peer.py` know anyway: each request, and each question to another
service, under the ids of tracing.py.

For who sets OTEL_EXPORTER_OTLP_ENDPOINT and has requirements-otel.txt; nothing else imports this. Spans are sent by a
thread of the SDK's; while the collector is away they are dropped, and requests do not wait.
"""

import socket
import threading
import time
from collections.abc import Callable

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from statuslog import tracing
from statuslog.tracing import QUIET, Hop, Trace

FLUSH_SECONDS = 2.0


class _Ids(IdGenerator, threading.local):
    """The ids of the span that this thread is about to make."""

    trace_id = span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class Export:
    """Sends the spans of this process; to be made in the process that answers the requests."""

    def __init__(self, service: str) -> None:
        self._ids = _Ids()
        # Whether a trace is recorded says its flag, or whoever begins it, which is always: to leave some out is the
        # collector's work. Else a part of a trace could be missing in the middle.
        self._provider = TracerProvider(
            sampler=ParentBased(ALWAYS_ON),
            resource=Resource.create({"service.name": service, "service.instance.id": socket.gethostname()}),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("statuslog")

    def start(self, observers: list[Callable[[str, str, int, float], None]]) -> None:
        """From now on the requests that `observers` are told of are sent, and all hops."""
        observers.append(self._answered)
        tracing.hop_observers.append(self._asked)

    def stop(self) -> None:
        """Send what waits, if the collector takes it in time."""
        thread = threading.Thread(target=self._provider.shutdown, daemon=True)
        thread.start()
        thread.join(FLUSH_SECONDS)

    def _answered(self, route: str, method: str, code: int, seconds: float) -> None:
        trace = tracing.current()
        if trace is None or route in QUIET:
            return
        begun = time.time_ns() - int(seconds * 1e9)
        span = self._span(SpanKind.SERVER, f"{method} {route}", trace, trace.span_id, trace.parent_id, begun)
        span.set_attributes({"http.request.method": method, "http.route": route, "http.response.status_code": code})
        span.set_attribute("statuslog.request_id", trace.request_id)
        if code >= 500:
            span.set_status(StatusCode.ERROR)
        span.end()

    def _asked(self, hop: Hop) -> None:
        if hop.path in QUIET:
            return
        span = self._span(
            SpanKind.CLIENT, f"{hop.method} {hop.path}", hop.trace, hop.span_id, hop.trace.span_id, hop.begun
        )
        span.set_attributes({"http.request.method": hop.method, "url.full": hop.url + hop.path})
        if hop.status:
            span.set_attribute("http.response.status_code", hop.status)
        if not 0 < hop.status < 400:
            span.set_status(StatusCode.ERROR)
        span.end()

    def _span(self, kind: SpanKind, name: str, trace: Trace, span_id: str, parent_id: str, begun: int) -> Span:
        """A span that began at `begun` nanoseconds, to be ended now."""
        self._ids.trace_id, self._ids.span_id = int(trace.trace_id, 16), int(span_id, 16)
        context = Context()
        if parent_id:
            remote = kind is SpanKind.SERVER
            parent = SpanContext(self._ids.trace_id, int(parent_id, 16), remote, TraceFlags(int(trace.flags, 16)))
            context = set_span_in_context(NonRecordingSpan(parent), context)
        return self._tracer.start_span(name, context, kind, start_time=begun)
