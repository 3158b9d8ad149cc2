"""One request is followed through the logs of all three services; nothing that comes with it breaks a line of them."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.contract.client import exchange, get
from tests.processes import NAMES, Services

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
MARK = b"h0st1le!"  # in each of these, to be looked for in what comes back
HOSTILE: list[bytes | str] = [
    *(
        b'h0st1le!"',
        b"h0st1le!'",
        b"h0st1le!\\",
        b"h0st1le!\\n",
        b"h0st1le!\\u000a",
        b"h0st1le!%0d%0aX: y",
        b"h0st1le!%00",
    ),
    *(b'h0st1le!", "level": "error', b'{"h0st1le!": {}}', b'["h0st1le!"]', b"h0st1le!: null}", b"h0st1le!,h0st1le!"),
    *(b"h0st1le!\r\nX-Forged: yes", b"h0st1le!\nX-Forged: yes", b"h0st1le!\rX-Forged: yes", b"h0st1le!\r\n folded"),
    *(b"h0st1le!\r\n\r\nGET /forged HTTP/1.1", b'h0st1le!\n{"time": "forged"}', b"h0st1le!\x0b", b"h0st1le!\x0c"),
    *(b"h0st1le!\x00", b"h0st1le!\x07\x08", b"h0st1le!\x1b[31m", b"h0st1le!\x7f", b"h0st1le!\t", b"h0st1le!\x85"),
    *(b"h0st1le!\xff\xfe", b"h0st1le!\xc3\x28", b"h0st1le!\xed\xa0\x80", b"h0st1le!\xf0\x9f\x98", b"h0st1le!\xc0\xaf"),
    *("h0st1le!\u2028", "h0st1le!\u202e", "h0st1le!\u2066", "h0st1le!😀", "h0st1le!é", "h0st1le!\u0661"),
    *(b"h0st1le!" + b"x" * 64, b"h0st1le!" * 1_000, b"h0st1le!" * 1_500, b"<script>h0st1le!</script>", b"$(h0st1le!)"),
    *(b"../h0st1le!", b"h0st1le! /", b"%s%n h0st1le!", b"${jndi:h0st1le!}", b"00-h0st1le!-" + b"0" * 44, b"h0st1le!;"),
]


def events(services: Services, name: str, start: int = 0) -> list[dict[str, Any]]:
    """What the service has logged; each line must be one object."""
    found = []
    for line in services.output(name)[start:].split("\n")[:-1]:
        assert line.isascii() and line.isprintable(), line
        event = json.loads(line)
        assert event.keys() >= {"time", "service", "level", "logger", "message"}
        assert event["service"] == name
        found.append(event)
    return found


def test_a_status_is_followed_through_all_services(services: Services):
    given = {"traceparent": f"00-{TRACE}-{SPAN}-01", "X-Request-ID": "the-one"}
    answer = get(f"{services.service1}/status", headers=given)
    assert answer.headers["X-Request-ID"] == "the-one"
    assert re.fullmatch(f"00-{TRACE}-(?!{SPAN})[0-9a-f]{{16}}-01", answer.headers["traceparent"])
    by_name = {
        name: [event for event in events(services, name) if event.get("trace_id") == TRACE and "route" in event]
        for name in NAMES
    }
    (first,), (second,) = by_name["service1"], by_name["service2"]
    assert {event["request_id"] for found in by_name.values() for event in found} == {"the-one"}
    assert [event["message"] for event in by_name["storage"]] == ["POST /log 201"] * 2
    # Each names the one that has asked it.
    assert (first["parent_id"], second["parent_id"]) == (SPAN, first["span_id"])
    assert {event["parent_id"] for event in by_name["storage"]} == {first["span_id"], second["span_id"]}
    assert (first["route"], first["method"], first["status"]) == ("/status", "GET", 200)
    assert first["duration_ms"] > second["duration_ms"] > 0


def test_each_of_many_at_once_is_found_in_all_services(services: Services):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: get(f"{services.service1}/status"), range(48)))
    wanted = {answer.headers["X-Request-ID"] for answer in answers}
    assert len(wanted) == 48
    batches = 0
    for name in NAMES:
        found = events(services, name)
        batches += sum("batch" in event for event in found)
        assert not wanted - {one for event in found for one in (event.get("request_id"), *event.get("batch", ()))}
    assert batches


@pytest.mark.parametrize("place", ["headers", "path"])
def test_nothing_hostile_breaks_a_line_or_comes_back(services: Services, place: str):
    before = {name: len(services.output(name)) for name in NAMES}
    for number, given in enumerate(HOSTILE):
        value = given if isinstance(given, bytes) else given.encode()
        head = [b"GET /status HTTP/1.1", b"Host: localhost", b"Connection: close"]
        if place == "path":
            head[0] = b"GET /nowhere/" + value + b" HTTP/1.1"
        else:
            head += [b"%s: %s" % (name, value) for name in (b"X-Request-ID", b"traceparent", b"User-Agent")]
        answer = exchange(services.public_port, b"\r\n".join(head) + b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 "), number
        # A request line that is none gunicorn shows in its own answer, as HTML; a header it never does.
        shown = answer.partition(b"\r\n\r\n")[0] if place == "path" else answer
        assert MARK not in shown and b"forged" not in shown.lower(), answer
        assert not answer.startswith(b"HTTP/1.1 5")
    assert len(HOSTILE) >= 40
    for name in NAMES:
        for event in events(services, name, before[name]):
            ids = [event.get("request_id", ""), event.get("trace_id", ""), event.get("parent_id", "")]
            assert all(re.fullmatch("[0-9a-f]*", one) for one in ids), event
            assert event["level"] in ("info", "warning")
