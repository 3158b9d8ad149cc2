"""service1's status page, as somebody sees it who wants to know how things are."""

import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from statuslog.probe import measure
from statuslog.record import LineStyle, Measurement, Record, make
from tests.browser.conftest import HTML, SCREENSHOTS, Watched
from tests.contract.client import get, post
from tests.contract.conftest import emptied
from tests.processes import Services, running

pytestmark = pytest.mark.browser

EVERYTHING = "Everything is all right"
LIVE_WITHIN = 2000  # milliseconds from an answer of /status to its records on the page
SHIFTS = """new PerformanceObserver(list => list.getEntries().forEach(entry => window.shifted += entry.value))
    .observe({type: 'layout-shift', buffered: true}); window.shifted = 0;"""


@pytest.fixture(scope="module")
def services(chromium: str, tmp_path_factory: pytest.TempPathFactory, static_root: Path) -> Iterator[Services]:
    with running(tmp_path_factory.mktemp("page"), STATIC_ROOT=str(static_root)) as services:
        yield services


@pytest.fixture
def empty(services: Services) -> Services:
    return emptied(services)


def history(now: datetime) -> Iterator[Record]:
    """A day of the two services that ends now: a night without records, two restarts, some files deleted."""
    measured = measure()
    free, total = measured.disk_free_bytes or 0, measured.disk_total_bytes
    begin = now - timedelta(hours=23)
    starts = {"service1": (begin, now - timedelta(hours=8)), "service2": (begin, now - timedelta(hours=6, minutes=10))}
    for number in range(150, 0, -1):
        moment = now - timedelta(minutes=9 * number)
        if timedelta(hours=8) < now - moment < timedelta(hours=12):
            continue
        for later, (service, begun) in enumerate(starts.items()):
            started = max(start for start in begun if start <= moment)
            used = math.sin(number / 5) * 2e8 + number * 3e6 + (2.5e9 if number > 100 else 0)
            yield make(
                service=service,
                instance="host-a",
                timestamp=moment + timedelta(milliseconds=7 * later),
                measurement=Measurement(
                    host_uptime_seconds=(moment - begin).total_seconds(),
                    container_uptime_seconds=(moment - started).total_seconds(),
                    disk_free_bytes=int(max(0, free - used)),
                    disk_total_bytes=total,
                ),
                style=LineStyle(),
            )


def copied(services: Services) -> None:
    """vstorage as the log's copy: what the tests post to storage past the services is not in it."""
    services.vstorage.write_bytes(get(f"{services.storage}/log").content)


@pytest.fixture
def filled(empty: Services) -> Services:
    """A day in the log, whose newest records are of the services themselves, and one that means no good."""
    records = [record.to_json() for record in history(datetime.now(UTC))]
    assert post(f"{empty.storage}/log", json.dumps(records), "application/json").status_code == 201
    post(f"{empty.storage}/log", HTML.encode())
    copied(empty)
    get(f"{empty.service1}/status")
    return empty


Open = Callable[..., Watched]


@pytest.fixture
def open_page(browser: Browser, services: Services) -> Iterator[Open]:
    """A function that opens the page in a browser of its own, and what was wrong in none of them."""
    opened: list[Watched] = []

    def open_page(query: str = "", width: int = 1280, **options: Any) -> Watched:
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        watched = Watched(context.new_page(), services.service1)
        opened.append(watched)
        watched.page.add_init_script(SHIFTS)
        watched.page.goto(f"{services.service1}/{query}")
        return watched

    yield open_page
    for watched in opened:
        hosts = {urlsplit(url).netloc for url in watched.requested if not url.startswith("data:")}
        watched.page.context.close()
        assert hosts == {urlsplit(services.service1).netloc}


def headline(watched: Watched, text: str, timeout: float = 5000) -> None:
    expect(watched.page.locator("h1")).to_have_text(text, timeout=timeout)


def live(watched: Watched) -> None:
    expect(watched.page.locator("#live")).to_have_text("Live")


def rows(watched: Watched) -> list[str]:
    return watched.page.locator("#rows tbody tr").all_inner_texts()


def screenshot(watched: Watched, name: str, *, full_page: bool = True) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    watched.page.screenshot(path=SCREENSHOTS / f"page-{name}.png", full_page=full_page)


def barriers(page: Page) -> list[str]:
    """What axe-core finds that keeps people from using the page. It is a script within it, which the policy forbids
    to all but who looks with `bypass_csp`."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in ("serious", "critical")
    ]


def narrow_enough(watched: Watched, width: int) -> bool:
    return bool(watched.page.evaluate("document.documentElement.scrollWidth") <= width)


def test_no_records_and_the_first_one(empty: Services, open_page: Open):
    watched = open_page()
    headline(watched, EVERYTHING)
    expect(watched.page.get_by_role("heading", name="No records yet")).to_be_visible()
    live(watched)
    screenshot(watched, "none")
    watched.page.get_by_role("button", name="Take a record now").click()
    expect(watched.page.locator("#rows tbody tr")).to_have_count(2)
    expect(watched.page.locator("#taken")).to_have_text("A record was taken and is in both stores.")
    expect(watched.page.get_by_role("heading", name="No records yet")).to_be_hidden()
    assert watched.wrong == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360)])
def test_a_day_of_records_for_everybody(filled: Services, open_page: Open, scheme: str, width: int):
    watched = open_page(width=width, color_scheme=scheme, bypass_csp=True)
    headline(watched, EVERYTHING)
    live(watched)
    assert len(rows(watched)) == 12
    assert any(HTML in row for row in rows(watched))
    assert watched.page.locator(".card .pill").all_inner_texts() == ["ok", "ok", "ok"]
    assert narrow_enough(watched, width)
    screenshot(watched, f"{scheme}-{width}")
    assert barriers(watched.page) == []
    assert watched.wrong == []


def test_the_policy_has_nothing_to_refuse_and_the_page_is_light(filled: Services, open_page: Open):
    watched = open_page()
    live(watched)
    assert watched.wrong == []
    sizes = watched.page.evaluate(
        "['navigation', 'resource'].flatMap(type => performance.getEntriesByType(type)).map(one => one.transferSize)"
    )
    assert len(sizes) == 3  # the page, its style and its script; the live records are under way
    assert 5_000 < sum(sizes) < 60_000
    paints = []
    for _ in range(3):
        watched.page.reload()
        live(watched)
        paints.append(watched.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        sizes = watched.page.evaluate("performance.getEntriesByType('resource').map(one => one.transferSize)")
        assert sizes == [0, 0]  # kept by the browser
    assert min(paints) < 1500  # 300 ms are asked for; the machine may be busy


def test_new_records_come_by_themselves_and_nothing_moves(filled: Services, open_page: Open):
    watched = open_page()
    live(watched)
    watched.page.evaluate("document.querySelector('#records').scrollIntoView()")
    for _ in range(3):
        lines = get(f"{filled.service1}/status").text.splitlines()
        first = watched.page.locator("#rows tbody tr").first
        expect(first).to_contain_text(lines[1].partition(": ")[2], timeout=LIVE_WITHIN)
        expect(first).to_contain_text("service2")
    expect(watched.page.locator("#heard")).to_contain_text("new: service")
    post(f"{filled.storage}/log", HTML.encode())
    expect(watched.page.locator("#rows tbody tr").first).to_contain_text(HTML, timeout=LIVE_WITHIN)
    assert len(rows(watched)) == 12
    assert watched.page.evaluate("window.shifted") < 0.01
    assert watched.wrong == []  # no dialog, above all


def test_where_events_do_not_get_through_it_looks_every_few_seconds(filled: Services, open_page: Open):
    watched = open_page("docs")
    refused = {"status": 503, "content_type": "text/plain", "body": "32 clients follow the log already"}
    watched.page.route("**/log?follow=*", lambda route: route.fulfill(**refused))
    watched.page.goto(filled.service1)
    expect(watched.page.locator("#live")).to_have_text("Looks every 5 s")
    line = get(f"{filled.service1}/status").text.splitlines()[1].partition(": ")[2]
    expect(watched.page.locator("#rows tbody tr").first).to_contain_text(line, timeout=15_000)
    assert watched.page.evaluate("window.shifted") < 0.01


def test_each_length_of_the_history(filled: Services, open_page: Open):
    watched = open_page()
    for name in ("Hour", "Week", "Month", "Day"):
        watched.page.get_by_role("link", name=name, exact=True).click()
        expect(watched.page.locator(".spans [aria-current]")).to_have_text(name)
        assert watched.page.locator("path.line").count() == 2
        screenshot(watched, f"span-{name.lower()}", full_page=False)
    assert "3 starts" in watched.page.locator(".lanes").inner_text()
    assert watched.wrong == []


def test_the_values_at_the_pointer_and_at_the_arrow_keys(filled: Services, open_page: Open):
    watched = open_page()
    tip = watched.page.locator(".tip")
    watched.page.locator(".at").nth(5).hover()
    expect(tip).to_contain_text("UTC\nservice1: ")
    screenshot(watched, "values", full_page=False)
    before = tip.inner_text()
    plot = watched.page.get_by_role("group", name="Free disk")
    plot.focus()
    watched.page.keyboard.press("ArrowLeft")
    watched.page.keyboard.press("ArrowLeft")
    expect(tip).to_have_count(1)
    assert tip.inner_text() != before
    watched.page.locator(".lanes .up").last.hover()
    expect(watched.page.locator(".lanes .tip")).to_contain_text("storage: up since")
    lane = watched.page.get_by_role("group", name="Uptime of service1")
    watched.page.keyboard.press("Tab")  # from the free disk's chart, over the host's lane
    watched.page.keyboard.press("Tab")
    expect(lane).to_be_focused()
    watched.page.keyboard.press("ArrowLeft")
    expect(lane.locator(".tip")).to_contain_text("service1: up since")
    assert watched.wrong == []


def test_one_service_has_one_colour(filled: Services, open_page: Open):
    post(f"{filled.storage}/log", b"2025-01-01T00:00:00Z: uptime 1.000 hours, free disk in root: 5.00 MBytes")
    watched = open_page()
    colours = """() => Object.fromEntries([...document.querySelectorAll('.legend tbody tr')].map(
        row => [row.innerText.split('\t')[0].trim(), getComputedStyle(row.querySelector('i')).backgroundColor]))"""
    legend = watched.page.evaluate(colours)
    bar = "number => getComputedStyle(document.querySelector('.up.n' + number)).fill"
    line = "number => getComputedStyle(document.querySelector('path.line.l' + number)).stroke"
    assert legend.keys() == {"no service", "service1", "service2"}
    assert len(set(legend.values())) == 3
    for number in (1, 2):
        shown = {watched.page.evaluate(bar, number), watched.page.evaluate(line, number)}
        assert shown == {legend[f"service{number}"]}
    assert rows(watched)[0].split("\t")[1] == "no service"
    screenshot(watched, "no-service")


def test_older_records_and_back(filled: Services, open_page: Open):
    watched = open_page()
    live(watched)
    seen = rows(watched)
    first = list(seen)
    for _ in range(3):
        watched.follow(watched.page.get_by_role("link", name="Older"))
        expect(watched.page.locator("#live")).to_be_hidden()
        assert len(rows(watched)) == 12
        seen += rows(watched)
    times = [row.split("\t")[0] for row in seen]
    assert times == sorted(times, reverse=True)
    assert len(set(seen)) == 48
    screenshot(watched, "older")
    for _ in range(3):
        watched.follow(watched.page.get_by_role("link", name="Newer"))
    assert rows(watched) == first
    live(watched)
    assert watched.wrong == []


def test_with_the_keyboard_alone(filled: Services, open_page: Open):
    watched = open_page()
    watched.page.keyboard.press("Tab")
    expect(watched.page.get_by_role("link", name="Skip to the records")).to_be_focused()
    watched.page.keyboard.press("Enter")
    watched.page.keyboard.press("Tab")  # over the heading, to the first thing that can be used
    watched.page.get_by_role("combobox", name="Service").focus()
    watched.page.keyboard.type("service2")
    with watched.page.expect_navigation():
        watched.page.keyboard.press("Enter")
    assert {row.split()[2] for row in rows(watched)} == {"service2"}
    screenshot(watched, "filtered")
    live(watched)
    get(f"{filled.service1}/status")
    expect(watched.page.locator("#heard")).to_contain_text("1 new: service2", timeout=LIVE_WITHIN)
    with watched.page.expect_download() as download:
        watched.page.get_by_role("link", name="NDJSON").press("Enter")
    found = [json.loads(line)["service"] for line in download.value.path().read_text().splitlines()]
    assert (len(found), set(found)) == (len(list(history(datetime.now(UTC)))) / 2 + 2, {"service2"})


def test_without_javascript(filled: Services, open_page: Open):
    watched = open_page(java_script_enabled=False)
    headline(watched, EVERYTHING)
    assert len(rows(watched)) == 12
    assert watched.page.locator("path.line").count() == 2
    assert watched.page.locator(".at title").first.text_content()
    screenshot(watched, "without-javascript")
    watched.page.get_by_role("textbox", name="Contains").fill("alert")
    watched.follow(watched.page.get_by_role("button", name="Filter"))
    assert len(rows(watched)) == 1
    watched.follow(watched.page.get_by_role("button", name="Take a record now"))
    assert urlsplit(watched.page.url).path == "/status"


def test_a_question_that_is_not_understood(filled: Services, open_page: Open):
    watched = open_page("?since=soon", bypass_csp=True)
    expect(watched.page.get_by_role("alert")).to_contain_text("since: must be a time")
    screenshot(watched, "not-understood")
    assert barriers(watched.page) == []


@pytest.mark.parametrize(
    ("later", "title", "detail", "note"),
    [
        (timedelta(hours=-2, seconds=-5), "All is well, but there is nothing new", "The last record is 2 h", "stale"),
        (timedelta(minutes=4), "A record is dated in the future", "Was the clock set back?", "future"),
    ],
)
def test_a_newest_record_that_is_not_of_now(
    empty: Services, open_page: Open, later: timedelta, title: str, detail: str, note: str
):
    now = datetime.now(UTC)
    style, measured = LineStyle(), measure()
    record = make(service="service1", instance="host-a", timestamp=now + later, measurement=measured, style=style)
    post(f"{empty.storage}/log", json.dumps(record.to_json()), "application/json")
    copied(empty)
    watched = open_page(bypass_csp=True)
    headline(watched, title)
    expect(watched.page.locator("#overall")).to_contain_text(detail)
    expect(watched.page.locator("#services")).to_contain_text(note)
    screenshot(watched, note)
    assert barriers(watched.page) == []
    assert watched.wrong == []


def test_service2_down_and_back(filled: Services, open_page: Open):
    filled.stop("service2")
    watched = open_page(bypass_csp=True)
    headline(watched, "service2 is down")
    expect(watched.page.locator("#services")).to_contain_text("It does not answer: connection refused.")
    screenshot(watched, "service2-down")
    assert barriers(watched.page) == []
    watched.page.get_by_role("button", name="Take a record now").click()
    expect(watched.page.locator("#taken")).to_contain_text("service2: connection refused")
    filled.start("service2")
    watched.page.reload()
    headline(watched, EVERYTHING)


def test_storage_down_and_back_while_the_page_is_open(filled: Services, open_page: Open):
    watched = open_page(width=360, bypass_csp=True)
    live(watched)
    filled.stop("storage")
    headline(watched, "Storage is down", timeout=20_000)
    expect(watched.page.locator("#live")).to_have_text("Looks every 5 s", timeout=20_000)
    watched.page.get_by_role("button", name="Take a record now").click()
    expect(watched.page.locator("#taken")).to_contain_text("It waits in the outbox until storage is back.")
    watched.page.reload()  # and for who comes only now
    headline(watched, "Storage is down")
    expect(watched.page.get_by_role("heading", name="The log cannot be read now")).to_be_visible()
    expect(watched.page.locator("#overall")).to_contain_text("2 records wait in an outbox")
    assert narrow_enough(watched, 360)
    screenshot(watched, "storage-down")
    assert barriers(watched.page) == []
    filled.start("storage")
    headline(watched, EVERYTHING, timeout=20_000)
    live(watched)
    expect(watched.page.locator("#rows tbody tr")).to_have_count(12)
