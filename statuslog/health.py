"""`GET /healthz` and `GET /readyz`: the process lives; it can do its work now."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from django.urls import URLPattern, path
from rest_framework.request import Request
from rest_framework.response import Response

from statuslog.access import STRANGER
from statuslog.probe import measure
from statuslog.rest import JSONView, View, wants_json

# A check returns the names of what keeps the service from its work, such as "storage_unreachable".
Check = Callable[[], Iterable[str]]


def readiness(checks: Iterable[Check], facts: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """`{"ready": bool, "reasons": [name, …]}`, what the probe measures now, and the service's own facts."""
    reasons = [reason for check in checks for reason in check()]
    return {"ready": not reasons, "reasons": reasons, "measured": asdict(measure()), **facts()}


class HealthView(View):
    """The process lives: it answers."""

    def get(self, request: Request) -> Response:
        return Response({"alive": True} if wants_json(request) else "alive\n")


class ReadyView(JSONView):
    """200, or 503 with the reasons; always JSON. What is measured is for who may read."""

    checks: tuple[Check, ...] = ()
    facts: Callable[[], dict[str, Any]] = dict

    def get(self, request: Request) -> Response:
        body = readiness(self.checks, self.facts)
        if request.META.get(STRANGER):
            del body["measured"]
        response = Response(body, status=200 if body["ready"] else 503)
        # It is asked at every start until it says ready: that is no error, and Django is not to log one.
        response._has_been_logged = True  # type: ignore[attr-defined]
        return response


def urls(*checks: Check, facts: Callable[[], dict[str, Any]] = dict) -> list[URLPattern]:
    """Both paths, for a service that is ready when no check names a reason."""
    return [
        path("healthz", HealthView.as_view()),
        path("readyz", ReadyView.as_view(checks=checks, facts=facts)),
    ]
