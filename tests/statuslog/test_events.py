"""An event is one line, whatever is in it."""

import json
import logging
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from statuslog import tracing
from statuslog.events import LONGEST, JSONLine, Output, TextLine, write

HOSTILE = [
    'a"b\\c',
    "a\nb",
    "a\r\n{}",
    "\x00\x07\x1b[31m\x7f",
    "\u2028\u2029\x85\u202e\u2066",
    "\udcff",
    "日本語",
    "%s %d {x}",
    '", "level": "forged',
]


def record(message: str, level: int = logging.INFO, error: BaseException | None = None, **fields: Any) -> Any:
    exc_info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("a.logger", level, "", 0, "%s", (message,), exc_info)
    made.fields = fields
    return made


def failure(text: str) -> ValueError:
    """An error with a stack."""
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


@pytest.fixture
def trace() -> Iterator[tracing.Trace]:
    yield tracing.begin("mine")
    tracing.end()


def test_an_event_as_json(trace: tracing.Trace):
    made = record("it happened", logging.WARNING, route="/status", status=200)
    made.created = 1758905106.123456
    assert json.loads(JSONLine("service1").format(made)) == {
        "time": "2025-09-26T16:45:06.123456Z",
        "service": "service1",
        "level": "warning",
        "logger": "a.logger",
        "message": "it happened",
        "request_id": "mine",
        "trace_id": trace.trace_id,
        "span_id": trace.span_id,
        "route": "/status",
        "status": 200,
    }


@pytest.mark.parametrize("parent", ["", "00f067aa0ba902b7"])
@pytest.mark.parametrize("batch", [[], ["a"], ["a", "b-c"]])
def test_the_short_way_of_a_request_is_the_same(parent: str, batch: list[str]):
    trace = tracing.begin("mine", f"00-{'ab' * 16}-{parent}-01" if parent else "")
    trace.batch = batch
    route = '/admin/(?P<url>.*)$ "\\d"'
    fields: dict[str, Any] = {"route": route, "method": "GET", "status": 200, "duration_ms": 9.204}
    fields |= {"parent_id": parent} if parent else {}
    fields |= {"batch": batch} if batch else {}
    made = record(f"GET {route} 200", **fields)
    made.name = "statuslog.middleware"
    form = JSONLine("service1")
    long, short = (json.loads(line) for line in (form.format(made), form.of_request(trace, route, "GET", 200, 9.204)))
    tracing.end()
    times = [datetime.fromisoformat(event.pop("time")) for event in (long, short)]
    assert timedelta(0) <= times[1] - times[0] < timedelta(seconds=10)
    assert list(short.items()) == list(long.items())


def test_an_event_of_no_request_has_no_ids():
    event = json.loads(JSONLine("service1").format(record("it happened")))
    assert event.keys() == {"time", "service", "level", "logger", "message"}


def test_an_exception_is_one_field_with_its_stack():
    event = json.loads(JSONLine("service1").format(record("it failed", error=failure("so\nit is"))))
    assert event["exception"].startswith("Traceback (most recent call last):\n")
    assert event["exception"].endswith("ValueError: so\nit is")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_stays_a_value(hostile: str):
    line = JSONLine("service1").format(record(hostile, error=failure(hostile), route=hostile))
    assert line.isascii() and line.isprintable()
    event = json.loads(line)
    assert (event["message"], event["route"], event["level"]) == (hostile, hostile, "info")
    assert hostile in event["exception"]


@pytest.mark.parametrize("filler", ["x", "\n", "\u2028", "😀"])
@pytest.mark.parametrize("size", [3_000, 100_000])
def test_a_long_event_is_cut_in_the_middle_of_its_longest_text(filler: str, size: int):
    message, error = f"begins{filler * size}ends", failure(f"first{filler * 2 * size}last")
    line = JSONLine("service1").format(record(message, error=error, status=200))
    assert len(line) <= LONGEST
    event = json.loads(line)
    assert event["status"] == 200
    assert event["message"].startswith("begins") and event["message"].endswith("ends")
    assert event["exception"].startswith("Traceback") and event["exception"].endswith("last")


def test_an_event_as_text():
    made = record("GET /status 200", route="/status", status=200)
    made.created = 1758905106.123456
    text = TextLine("service1").format(made)
    assert text == "2025-09-26T16:45:06.123456Z INFO service1 a.logger | GET /status 200 route=/status status=200"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_cannot_look_like_an_event_of_its_own(hostile: str):
    first, *others = TextLine("service1").format(record(hostile, error=failure(hostile))).split("\n")
    assert first.isascii() and first.isprintable()
    for line in others:
        assert line.startswith("    ") and line.isascii() and line.isprintable()


def test_each_event_is_one_write(monkeypatch: pytest.MonkeyPatch):
    written: list[Any] = []
    monkeypatch.setattr(os, "write", lambda descriptor, data: written.append((descriptor, data)))
    output = Output()
    output.setFormatter(JSONLine("service1"))
    output.handle(record("it happened", error=failure("why")))
    ((descriptor, data),) = written
    assert descriptor == 2
    assert data.endswith(b"\n") and json.loads(data)


def test_a_full_disk_costs_no_request_its_answer():
    output = os.dup(2)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, 2)
    try:
        write("an event")
    finally:
        os.dup2(output, 2)
        os.close(output)
        os.close(full)
