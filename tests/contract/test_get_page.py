"""`GET /` of service1, as HTML that no browser has touched; how it looks and lives: tests/browser/test_page.py."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest

from statuslog.verdict import CHALLENGE, VERDICT
from tests.contract.client import ask, get, post, within
from tests.contract.conftest import Start
from tests.processes import Services
from tests.wrong_peer import (
    RUBBISH,
    Behaviour,
    WrongPeer,
    answering,
    answering_json,
    hanging,
    hanging_up,
    sending,
    wrong_peer,
)

pytestmark = pytest.mark.live

HTML = "text/html; charset=utf-8"


def page(services: Services, query: str = "") -> str:
    answer = get(f"{services.service1}/{query}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, HTML)
    return str(answer.text)


def headline(text: str) -> str:
    return str(re.findall(r"<h1[^>]*>(.*?)</h1>", text)[0])


def test_an_empty_log(services: Services):
    assert headline(page(services)) == "Everything is all right"
    assert "No records yet" in page(services)
    assert get(f"{services.storage}/log").content == b""  # looking takes no record


def test_with_records(services: Services):
    lines = get(f"{services.service1}/status").text.splitlines()
    text = page(services)
    assert headline(text) == "Everything is all right"
    for line in lines:
        assert line.partition(": ")[2] in text
    assert text.count("<tr data-id=") == 2


@pytest.mark.parametrize("span", ["hour", "day", "week", "month"])
def test_every_span(services: Services, span: str):
    get(f"{services.service1}/status")
    text = page(services, f"?span={span}")
    assert f"Free disk, the last {span}" in text
    assert 'class="line l1"' in text


def test_nothing_in_it_is_absolute_or_inline(services: Services):
    get(f"{services.service1}/status")
    text = page(services)
    addresses = re.findall(r'(?:href|src|action|data-follow)="([^"]*)"', text)
    assert len(addresses) > 10
    assert [address for address in addresses if re.match(r"/|\w+:(?!image)", address)] == []
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:", text)


def test_the_policy(services: Services):
    headers = get(services.service1).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"


def test_a_line_is_text_and_nothing_else(services: Services):
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)> {{ now }} \"'"
    post(f"{services.storage}/log", hostile.encode())
    assert "<script>alert" not in page(services)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page(services)
    assert "{{ now }}" in page(services)


def test_the_filter_and_its_downloads(services: Services):
    get(f"{services.service1}/status")
    text = page(services, "?service=service2&since=1h&contains=uptime&span=week")
    assert re.findall(r"</time></td><td>(\w+)</td>", text) == ["service2"]
    [address] = re.findall(r'href="(log\?[^"]*format=csv)"', text)
    rows = get(f"{services.service1}/{address.replace('&amp;', '&')}").text.splitlines()
    assert len(rows) == 2  # with the names of the columns
    assert 'name="span" value="week"' in text
    assert "No record fits" in page(services, "?contains=nothing%20like%20it")


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("?since=soon", "since: must be a time with its zone"),
        ("?cursor=x~y", "cursor: must be taken from"),
        ("?span=year", "span: must be one of hour, day, week, month"),
        ("?service=%3Cb%3E%00", "service: must be a text"),
    ],
)
def test_what_is_wrong_in_the_question_is_said_on_the_page(services: Services, query: str, why: str):
    answer = get(f"{services.service1}/{query}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, HTML)
    assert f'role="alert">{why}' in answer.text
    assert "<b>" not in answer.text


def test_it_comes_compressed(services: Services):
    assert get(services.service1, headers={"Accept-Encoding": "gzip"}).headers["Content-Encoding"] == "gzip"


def test_only_for_reading(services: Services):
    assert ask("HEAD", services.service1).status_code == 200
    assert ask("POST", services.service1).status_code == 405


def test_a_record_that_has_not_come_yet(services: Services):
    time = (datetime.now(UTC) + timedelta(minutes=4, seconds=30)).isoformat()
    record = {"id": str(uuid4()), "service": "service1", "timestamp": time, "line": "from the future"}
    post(f"{services.storage}/log", json.dumps(record), "application/json")
    services.vstorage.write_bytes(get(f"{services.storage}/log").content)
    text = page(services)
    assert headline(text) == "A record is dated in the future"
    assert "in 4 min. Was the clock set back?" in text
    assert 'class="early"' in text


def test_lowest_highest_and_newest_are_those_of_a_query_by_hand(services: Services):
    """A month of one record each half hour; of nine days ago one with 100 MBytes free, which no sample has."""
    now = datetime.now(UTC)
    lines = []
    for number in range(30 * 48 - 1, 0, -1):
        moment = now - timedelta(minutes=30 * number)
        free = 100.0 if number == 9 * 48 else 36_000 + number * 977 % 4096
        lines.append(f"{moment:%FT%T}Z: uptime {number}.000 hours, free disk in root: {free:.2f} MBytes")
    records = [
        {"id": str(uuid4()), "service": "service1", "timestamp": f"{line[:20]}", "line": line}
        | {"disk_free_bytes": round(float(line.split()[-2]) * 2**20)}
        for line in lines
    ]
    assert post(f"{services.storage}/log", json.dumps(records), "application/json").status_code == 201
    for span, since in (("hour", "1h"), ("day", "24h"), ("week", "7d"), ("month", "30d")):
        rows = get(f"{services.storage}/log?service=service1&since={since}&format=ndjson").text.splitlines()
        frees = [json.loads(row)["disk_free_bytes"] for row in rows]
        [shown] = re.findall(r"</i>service1</th>(.*?)</tr>", page(services, f"?span={span}"))
        by_hand = [
            f"{free / 2**20:,.2f} MiB" if free < 2**30 else f"{free / 2**30:,.2f} GiB"
            for free in (frees[-1], min(frees), max(frees))
        ]
        assert re.findall(r"<td>(.*?)</td>", shown) == by_hand
    assert by_hand[1] == "100.00 MiB"


def test_it_says_that_the_stores_differ(services: Services):
    get(f"{services.service1}/status")
    assert headline(page(services)) == "Everything is all right"
    with services.vstorage.open("a") as file:
        file.write("a line of somebody else\n")
    text = page(services)
    assert headline(text) == "The two stores differ"
    assert "vstorage and the log are not equal at their end" in text
    services.vstorage.write_bytes(get(f"{services.storage}/log").content)
    assert headline(page(services)) == "Everything is all right"


@pytest.mark.parametrize("query", ["", "&contains=uptime"])
def test_its_pages_are_the_log_newest_first(services: Services, query: str):
    for _ in range(14):
        get(f"{services.service1}/status")
    log = get(f"{services.storage}/log").text.splitlines()
    found: list[list[str]] = []
    address, links = f"?{query.removeprefix('&')}", {"": ""}
    for name in ("Older", "Older", "Newer"):
        text = page(services, address)
        found.append(re.findall(r'"><code>(.*?)</code>', text))
        links = {name: link for link, name in re.findall(r'<a href="(\?[^"]*)#records">(\w+)</a>', text)}
        address = links[name].replace("&amp;", "&")
    assert links.keys() == {"Newer", "Newest"}
    newest_first = [line.partition(": ")[2] for line in reversed(log)]
    assert [len(rows) for rows in found] == [12, 12, 4]
    assert [row for rows in found for row in rows] == newest_first
    assert re.findall(r'"><code>(.*?)</code>', page(services, address)) == found[1]


@pytest.fixture(scope="module")
def peer() -> Iterator[WrongPeer]:
    with wrong_peer(hanging) as peer:
        yield peer


@pytest.fixture(scope="module")
def alone(start_once: Start, peer: WrongPeer) -> Services:
    """service1, with a peer in the place of all others."""
    return start_once("service1", STORAGE_URL=peer.url, SERVICE2_URL=peer.url)


@pytest.mark.parametrize(
    "behaviour",
    [
        hanging,
        sending(RUBBISH),
        answering(200, b"[1"),
        answering(500, b"\xff"),
        answering_json(200, []),
        answering_json(200, {"readiness": 1, "services": [{"service": "a"}], "records": [{}], "next": None}),
        answering_json(200, {"reasons": 1, "measured": 1, "records": 1}),
    ],
)
def test_whatever_the_others_answer(alone: Services, peer: WrongPeer, behaviour: Behaviour):
    peer.behaviour = behaviour
    with within(3):
        text = page(alone)
    assert headline(text) == "service2 and storage are down"
    assert "It does not reach storage" in text
    assert "The log cannot be read now" in text


def test_with_storage_away_it_says_what_waits(alone: Services, peer: WrongPeer):
    peer.behaviour = hanging_up
    get(f"{alone.service1}/status")
    assert "1 record waits in an outbox" in page(alone)
    assert "1 record waiting" in page(alone)


@contextmanager
def counting(target: str) -> Iterator[tuple[str, list[str]]]:
    """A way to storage that notes what is asked: its address, and the paths."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path.partition("?")[0])
            answer = get(target + self.path, headers={CHALLENGE: self.headers[CHALLENGE]})
            self.send_response(answer.status_code)
            self.send_header(VERDICT, answer.headers[VERDICT])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", paths
        server.shutdown()


def test_at_most_three_requests_reach_storage(services: Services, start: Start):
    with counting(services.storage) as (address, paths):
        other = start("service2", STORAGE_URL=address)
        first = start("service1", STORAGE_URL=address, SERVICE2_URL=other.service2)
        paths.clear()
        assert headline(page(first)) == "Everything is all right"
        # The deliveries look after the edition all the time, page or no page.
        assert sorted(set(paths) - {"/edition"}) == ["/log", "/overview", "/readyz"]
        assert len([path for path in paths if path != "/edition"]) <= 3
