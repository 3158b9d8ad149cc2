"""`GET /docs` and `GET /schema` of service1."""

import json
import re

import pytest
from django.test import Client

from tests.processes import ROOT

pytestmark = pytest.mark.urls("service1.urls")


@pytest.mark.parametrize("accept", ["text/html", "*/*", "image/png"])
def test_the_page_and_all_its_files_are_our_own(client: Client, accept: str):
    page = client.get("/docs", headers={"Accept": accept})
    assert (page.status_code, page["Content-Type"]) == (200, "text/html; charset=utf-8")
    links = re.findall(r'(?:src|href)="([^"]*)"', page.getvalue().decode())
    assert set(links) == {"data:,", "schema", "docs/swagger-ui.css", "docs/swagger-ui-bundle.js", "docs/start.js"}
    for link in links:
        if link != "data:,":
            assert client.get(f"/{link}", headers={"Accept": accept}).status_code == 200


def test_the_page_s_policy_allows_nothing_written_into_it_and_nothing_from_elsewhere(client: Client):
    policy = dict(part.split(" ", 1) for part in client.get("/docs")["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert set(" ".join(policy.values()).split()) == {"'none'", "'self'", "data:"}
    assert "data:" not in policy["script-src"]


@pytest.mark.parametrize("name", ["settings.py", "..%2fsettings.py", "swagger-ui-bundle.js.map", "%00"])
def test_no_other_file_is_handed_out(client: Client, name: str):
    answer = client.get(f"/docs/{name}")
    assert (answer.status_code, answer.content) == (404, b"there is nothing at this path\n")


def test_the_page_cannot_be_posted_to(client: Client):
    assert client.post("/docs").status_code == 405


@pytest.mark.parametrize("accept", ["*/*", "text/plain", "text/html"])
def test_the_document_is_the_file_that_was_written(client: Client, accept: str):
    answer = client.get("/schema", headers={"Accept": accept})
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert answer.content == (ROOT / "service1/service1/openapi.json").read_bytes()
    assert json.loads(answer.content)["openapi"].startswith("3.1.")
