"""Chromium, a storage process with an admin, and a log worth looking at."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import requests
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Locator, Page, Request, Response, sync_playwright

from statuslog.record import LineStyle, Measurement, Record, make
from tests.processes import ROOT, Services
from tests.required import leave_out

NAME, PASSWORD = "admin", "a long enough password"
NEWEST = datetime(2025, 9, 26, 16, 45, 6, 123456, tzinfo=UTC)
HTML = "<script>alert('line')</script><img src=x onerror=alert(1)>"

# The system's browser as it is: no sandbox as root, no graphics card, and no talk with its maker.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
)
SCREENSHOTS = ROOT / "test-output"


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser; without one the test is skipped, or fails where all tests are required."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        leave_out("there is no Chromium; install it (Debian: apt-get install chromium)")
    return path


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield browser
        browser.close()


def record(number: int) -> Record:
    """The record `number` before the newest: two services by turns, twenty minutes apart."""
    uptime, free = 500_000.0 - 1200 * number, 37_966_420_213 + number * 10**6
    return make(
        service=f"service{number % 2 + 1}",
        instance=f"host-{number % 2}",
        timestamp=NEWEST - timedelta(minutes=20 * number),
        measurement=Measurement(
            host_uptime_seconds=uptime,
            container_uptime_seconds=uptime / 2,
            disk_free_bytes=free,
            disk_total_bytes=10**11,
        ),
        style=LineStyle(),
    )


def strange_records() -> list[Record]:
    """What must not spoil the pages: HTML, a line without an end in sight, another script."""
    lines = [HTML, "x" * 4096, "مرحبا بالعالم 日本語 😀", "a " * 500 + "end"]
    return [
        Record(id=UUID(int=n), service="posted", timestamp=NEWEST - timedelta(days=40 + n), line=line)
        for n, line in enumerate(lines)
    ]


@pytest.fixture(scope="session")
def storage(chromium: str, tmp_path_factory: pytest.TempPathFactory, static_root: Path) -> Iterator[Services]:
    """storage with an admin, and 300 ordinary and a few strange records in its log."""
    services = Services(
        tmp_path_factory.mktemp("browser"),
        DJANGO_SUPERUSER_USERNAME=NAME,
        DJANGO_SUPERUSER_PASSWORD=PASSWORD,
        STATIC_ROOT=str(static_root),
    )
    try:
        services.start("storage")
        body = json.dumps([one.to_json() for one in [*map(record, range(300)), *strange_records()]])
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(f"{services.storage}/log", body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 201, answer.text
        yield services
    finally:
        services.stop()


class Watched:
    """A page and everything that went wrong on it."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.wrong: list[str] = []
        self.requested: list[str] = []
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("requestfailed", self._note_failure)
        page.on("response", self._note_answer)
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("dialog", self._note_dialog)

    def _note_failure(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the next page was opened before this one was complete
            self.wrong.append(f"{request.failure}: {request.url}")

    def _note_answer(self, answer: Response) -> None:
        if answer.status >= 400:
            self.wrong.append(f"{answer.status}: {answer.url}")

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(message.text)

    def _note_dialog(self, dialog: Dialog) -> None:
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def log_in(self, name: str = NAME, password: str = PASSWORD) -> None:
        self.page.goto(f"{self.address}/admin/login/?next=/admin/logs/logrecord/")
        self.page.fill("input[name=username]", name)
        self.page.fill("input[name=password]", password)
        self.follow(self.page.locator("input[type=submit]"))

    def follow(self, link: Locator) -> None:
        """Click, and wait for the page that it leads to."""
        with self.page.expect_navigation():
            link.click()

    def open_first(self) -> None:
        """The page of the record at the top of the list."""
        self.follow(self.page.locator("#result_list .field-moment a").first)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.address}/admin/logs/logrecord/{path}")

    def column(self, name: str) -> list[str]:
        """The texts of a column of the list, from top to bottom."""
        return self.page.locator(f"#result_list td.field-{name}, #result_list th.field-{name}").all_inner_texts()

    def screenshot(self, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"admin-{name}.png", full_page=True)


@pytest.fixture
def stranger(browser: Browser, storage: Services) -> Iterator[Watched]:
    """A fresh browser, not logged in."""
    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        yield Watched(context.new_page(), storage.admin)


@pytest.fixture
def admin(stranger: Watched) -> Watched:
    """An admin who looks at the list of records."""
    stranger.log_in()
    return stranger
