"""Spans are sent to an OpenTelemetry collector; here that is a small receiver of OTLP over HTTP."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.processes import NAMES, running

pytestmark = pytest.mark.live

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SECONDS = 20.0


class Collector:
    """Keeps the spans that it is sent, each with the name of its service."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Span]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
                for of_resource in sent.resource_spans:
                    attributes = {one.key: one.value.string_value for one in of_resource.resource.attributes}
                    for of_scope in of_resource.scope_spans:
                        collector.spans += [(attributes["service.name"], span) for span in of_scope.spans]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def of_trace(self, count: int) -> list[tuple[str, Span]]:
        """The spans of TRACE, when there are so many."""
        until = time.monotonic() + SECONDS
        while len(found := [one for one in self.spans if one[1].trace_id.hex() == TRACE]) < count:
            assert time.monotonic() < until, found
            time.sleep(0.05)
        return found


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


def attributes(span: Span) -> dict[str, str | int]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_a_status_is_one_tree_of_spans(collector: Collector, tmp_path: Path):
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "SCRIPT_NAME": "/statuslog",  # both have work to do when a worker begins
    }
    with running(tmp_path, **settings) as services:
        given = {"traceparent": f"00-{TRACE}-{SPAN}-01", "X-Request-ID": "mine"}
        requests.get(f"{services.service1}/status", headers=given, timeout=10).raise_for_status()
        found = collector.of_trace(7)
        logged = {json.loads(line).get("span_id") for name in NAMES for line in services.output(name).splitlines()}
        services.stop("service2")
        requests.get(f"{services.service1}/status", headers=given, timeout=10)
        assert len(collector.of_trace(11)) == 11
        failed = [
            (service, span.name) for service, span in collector.spans if span.status.code == Status.STATUS_CODE_ERROR
        ]
        assert failed == [("service1", "GET /status")] * 2  # which asked service2, and had to answer with 502

    tree = {span.span_id.hex(): (service, span) for service, span in found}
    assert len(tree) == 7

    def path(span: Span) -> str:
        service, _ = tree[span.span_id.hex()]
        parent = tree.get(span.parent_span_id.hex())
        return f"{path(parent[1]) if parent else span.parent_span_id.hex()} > {service} {span.name}"

    root = f"{SPAN} > service1 GET /status"
    second = f"{root} > service1 GET /status > service2 GET /status"
    assert sorted(path(span) for _, span in found) == sorted(
        [
            root,
            f"{root} > service1 POST /log",
            f"{root} > service1 POST /log > storage POST /log",
            f"{root} > service1 GET /status",
            second,
            f"{second} > service2 POST /log",
            f"{second} > service2 POST /log > storage POST /log",
        ]
    )
    for service, span in found:
        assert 0 < span.end_time_unix_nano - span.start_time_unix_nano < SECONDS * 1e9
        if span.kind == Span.SPAN_KIND_SERVER:
            assert span.span_id.hex() in logged
            assert attributes(span)["statuslog.request_id"] == "mine", service
            assert attributes(span)["http.response.status_code"] in (200, 201)
    assert not {span.name for _, span in collector.spans if "ready" in span.name or "edition" in span.name}
