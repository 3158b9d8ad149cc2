"""service1's /docs, as somebody sees it who wants to know the API."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Watched
from tests.contract.client import post
from tests.processes import ROOT, Services, running

pytestmark = pytest.mark.browser

PATHS = json.loads((ROOT / "service1/service1/openapi.json").read_text())["paths"]


@pytest.fixture(scope="module")
def services(chromium: str, tmp_path_factory: pytest.TempPathFactory, static_root: Path) -> Iterator[Services]:
    with running(tmp_path_factory.mktemp("docs"), STATIC_ROOT=str(static_root)) as services:
        yield services


@pytest.fixture
def docs(browser: Browser, services: Services) -> Iterator[Watched]:
    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        watched = Watched(context.new_page(), services.service1)
        watched.page.goto(f"{services.service1}/docs")
        watched.page.wait_for_selector(".opblock")
        yield watched


def test_every_operation_is_shown_and_nobody_else_is_asked(docs: Watched):
    shown = docs.page.locator(".opblock-summary-path").all_inner_texts()
    assert sorted(path.replace("\u200b", "") for path in shown) == sorted(PATHS)
    docs.page.screenshot(path=ROOT / "test-output" / "docs.png", full_page=True)
    assert [url for url in docs.requested if not url.startswith((docs.address, "data:"))] == []
    assert docs.wrong == []  # above all, nothing that the page's policy had to refuse


def test_it_can_be_tried_from_the_page(docs: Watched, services: Services):
    docs.page.locator("#operations-status-status").click()
    docs.page.get_by_role("button", name="Try it out").click()
    docs.page.get_by_role("button", name="Execute").click()
    docs.page.locator(".live-responses-table .response").first.wait_for()
    assert docs.page.locator(".live-responses-table .response-col_status").last.inner_text().startswith("200")
    assert docs.wrong == []
    assert len(services.vstorage.read_text().splitlines()) == 2


def test_a_try_of_the_log_asks_for_what_is_shown_and_not_for_all(docs: Watched, services: Services):
    post(f"{services.storage}/log", b"".join(b"line %d\n" % number for number in range(300)))
    docs.page.locator("#operations-log-read_log").click()
    docs.page.get_by_role("button", name="Try it out").click()
    documented = docs.page.locator(".responses-table:not(.live-responses-table) .response[data-code='200']")
    shown = documented.locator("select.content-type")
    for form in (None, "text/plain", "application/x-ndjson"):
        if form:
            shown.select_option(form)
        with docs.page.expect_request(re.compile(r"/log\?")) as asked:
            docs.page.get_by_role("button", name="Execute").click()
        response = asked.value.response()
        assert response
        assert "limit=100" in asked.value.url
        assert asked.value.headers["accept"] == shown.input_value()
        assert response.headers["content-type"].startswith(shown.input_value())
        assert len(re.findall(r"line \d|MBytes", response.text())) == 100  # another test may have taken records
    assert docs.wrong == []


def test_the_schemas_can_be_opened(docs: Watched):
    record = docs.page.locator(".models article").filter(has=docs.page.get_by_text("Record", exact=True))
    record.get_by_role("button", name="Expand all").click()
    record.get_by_text("disk_free_bytes").first.wait_for()
    assert docs.wrong == []
