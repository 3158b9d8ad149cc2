"""`/healthz` and `/readyz`."""

import json
from collections.abc import Callable
from typing import Any

from django.test import RequestFactory

from statuslog import health
from statuslog.access import STRANGER
from statuslog.record import MEASURED


def readyz(*checks: health.Check, facts: Callable[[], dict[str, Any]] = dict) -> tuple[int, dict[str, object]]:
    view = health.urls(*checks, facts=facts)[1].callback
    response = view(RequestFactory().get("/readyz")).render()
    body = json.loads(response.content)
    assert body.pop("measured").keys() == set(MEASURED)
    return response.status_code, body


def test_ready_when_no_check_finds_anything():
    assert readyz(lambda: [], lambda: ()) == (200, {"ready": True, "reasons": []})


def test_not_ready_names_all_reasons():
    answer = readyz(lambda: ["storage_unreachable"], lambda: [], lambda: ["disk_low", "vstorage_stale"])
    assert answer == (503, {"ready": False, "reasons": ["storage_unreachable", "disk_low", "vstorage_stale"]})


def test_facts_stand_beside():
    assert readyz(facts=lambda: {"sqlite": "3.40.1"}) == (200, {"ready": True, "reasons": [], "sqlite": "3.40.1"})


def test_a_stranger_is_told_nothing_of_the_machine():
    view = health.urls()[1].callback
    request = RequestFactory().get("/readyz")
    request.META[STRANGER] = True
    answer = view(request).render()
    assert json.loads(answer.content) == {"ready": True, "reasons": []}


def test_alive_as_text_and_as_json():
    view = health.urls()[0].callback
    assert view(RequestFactory().get("/healthz")).render().content == b"alive\n"
    asked = RequestFactory().get("/healthz", headers={"Accept": "application/json"})
    assert json.loads(view(asked).render().content) == {"alive": True}
