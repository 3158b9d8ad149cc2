"""`GET /metrics`: what was counted, and what is so now, in Prometheus' text format.

https://prometheus.io/docs/instrumenting/exposition_formats/ ; docs/operations/metrics.md says what each metric means.
"""

import logging
import platform
from collections.abc import Callable, Iterable, Iterator
from functools import cache

import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import URLPattern, path
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from rest_framework.request import Request

from statuslog import VERSION, metrics, middleware, probe
from statuslog.rest import OneFormView

log = logging.getLogger(__name__)

# What is so now, looked up when it is asked for: it is the service's, however many processes that has.
State = Callable[[], Iterable[Metric]]

# Two metrics: with the code in the second a scrape would have three times as many lines, and cost as much more.
REQUESTS = Counter("statuslog_requests", "Requests", ["route", "method", "code"], registry=metrics.REGISTRY)
DURATION = Histogram(
    "statuslog_request_duration_seconds",
    "How long requests took, until the last byte was sent",
    ["route", "method"],
    buckets=(0.01, 0.02, 0.05, 0.1, 0.3, 1, 3),  # 3 s is the longest that a /status may take
    registry=metrics.REGISTRY,
)
# There are only so many: a route is a pattern, a strange method is "other".
_counter, _histogram = cache(REQUESTS.labels), cache(DURATION.labels)


def _observe(route: str, method: str, code: int, seconds: float) -> None:
    _counter(route, method, code).inc()
    _histogram(route, method).observe(seconds)


middleware.observers.append(_observe)


class MetricsView(OneFormView):
    """All metrics, always in Prometheus' text format."""

    states: Collector = CollectorRegistry()

    def get(self, request: Request) -> HttpResponse:
        body = metrics.text().encode() + generate_latest(self.states)
        return HttpResponse(body, content_type=CONTENT_TYPE_PLAIN_0_0_4)


class _States(Collector):
    def __init__(self, states: Iterable[State]) -> None:
        self._states = states

    def collect(self) -> Iterator[Metric]:
        for state in self._states:
            try:
                yield from state()
            except Exception as error:  # a database that is away, say: the rest is worth knowing all the more
                log.warning("some metrics are left out: %s", error)


def host() -> Iterator[Metric]:
    """What every service tells of where it runs; what cannot be measured is left out."""
    build = GaugeMetricFamily("statuslog_build_info", "Versions; always 1", labels=["version", "python", "django"])
    build.add_metric([VERSION, platform.python_version(), django.get_version()], 1)
    yield build
    measured = probe.measure()
    if measured.host_uptime_seconds is not None:
        yield GaugeMetricFamily("statuslog_host_uptime_seconds", "Uptime of the host", measured.host_uptime_seconds)
    free = GaugeMetricFamily("statuslog_disk_free_bytes", "What may still be written on the disk", labels=["disk"])
    total = GaugeMetricFamily("statuslog_disk_total_bytes", "The size of the disk", labels=["disk"])
    for disk, place in (("root", probe.DISK), ("data", settings.DATA_DIR)):
        if found := probe.disk_bytes(place):
            free.add_metric([disk], found[0])
            total.add_metric([disk], found[1])
    yield from (free, total)


def urls(*states: State) -> list[URLPattern]:
    """The path, for a service that has these states of its own."""
    return [path("metrics", MetricsView.as_view(states=_States((host, *states))))]
