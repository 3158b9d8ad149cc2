"""Followers of the log, through service1 and at storage: each record once, and an end to everything."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from tests.processes import Services, running

pytestmark = pytest.mark.live

WRITERS = 8
RECONNECTS = 50
EVENTS = {"Accept": "text/event-stream"}


@contextmanager
def following(services: Services, name: str, query: str = "", **headers: str) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", services.ports[name], timeout=20)
    try:
        connection.request("GET", f"/log?follow=1{query}", headers=headers)
        yield connection.getresponse()
    finally:
        connection.close()


def post(services: Services, record: dict[str, str]) -> None:
    answer = requests.post(f"{services.storage}/log", json=record, timeout=10)
    assert answer.status_code == 201, answer.text


def record(line: str, ago: timedelta = timedelta()) -> dict[str, str]:
    return {"id": str(uuid4()), "service": "s", "timestamp": (datetime.now(UTC) - ago).isoformat(), "line": line}


def next_event(answer: http.client.HTTPResponse) -> tuple[str, str]:
    """Its id, and the id of its record."""
    while not (line := answer.readline().decode()).startswith("id: "):
        assert line, "the stream has ended"
    return line.removeprefix("id: ").strip(), json.loads(answer.readline().decode().removeprefix("data: "))["id"]


@pytest.mark.parametrize("processes", ["1", "2"])
def test_50_times_cut_off_while_8_write_each_record_is_seen_once(tmp_path: Path, static_root: Path, processes: str):
    with running(tmp_path, STATIC_ROOT=str(static_root), WEB_CONCURRENCY=processes) as services:
        over = threading.Event()
        written: list[str] = []
        seen: list[str] = []

        def write(number: int) -> None:
            while not over.is_set():
                # Every other one is late, as from an outbox: its place in the log is in the past.
                made = record(f"of {number}", timedelta(hours=len(written) % 2))
                post(services, made)
                written.append(made["id"])

        with following(services, "service1", **EVENTS) as first:
            post(services, record("the first"))
            last, _ = next_event(first)
        threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
        for thread in threads:
            thread.start()
        try:
            for time_cut in range(RECONNECTS):
                name = "storage" if time_cut % 5 == 0 else "service1"
                with following(services, name, **EVENTS, **{"Last-Event-ID": last}) as answer:
                    assert answer.status == 200
                    for _ in range(1 + time_cut % 7):
                        last, found = next_event(answer)
                        seen.append(found)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        with following(services, "service1", **EVENTS, **{"Last-Event-ID": last}) as answer:
            while len(seen) < len(written):
                seen.append(next_event(answer)[1])
        assert len(seen) > RECONNECTS
        assert sorted(seen) == sorted(written)


@pytest.fixture
def few(tmp_path: Path, static_root: Path) -> Iterator[Services]:
    with running(tmp_path, STATIC_ROOT=str(static_root), MAX_FOLLOWERS="3") as services:
        yield services


def wait_for_room(services: Services, name: str, count: int) -> None:
    """Until so many can follow. Nothing is written meanwhile that would tell a service whose client has gone."""
    deadline = time.monotonic() + 10
    while True:
        with ExitStack() as stack:
            answers = [stack.enter_context(following(services, name)) for _ in range(count)]
            if {answer.status for answer in answers} == {200}:
                return
        assert time.monotonic() < deadline
        time.sleep(1.5)  # those of this try have to go, too


@pytest.mark.parametrize("name", ["storage", "service1"])
def test_at_their_bound_503_others_unhurt_and_room_again_when_one_has_gone(few: Services, name: str):
    with following(few, name) as first, following(few, name) as second:
        with following(few, name) as third, following(few, name) as refused:
            assert (first.status, second.status, third.status, refused.status) == (200, 200, 200, 503)
            assert b"MAX_FOLLOWERS" in refused.read()
            assert requests.get(f"{few.service1}/status", timeout=10).status_code == 200
            for answer in (first, second):
                assert [b"uptime" in answer.readline() for _ in range(2)] == [True, True]
        wait_for_room(few, name, 1)


@pytest.mark.parametrize("stopped", ["service1", "storage"])
def test_a_service_that_stops_ends_its_followers_properly_and_soon(few: Services, stopped: str):
    with following(few, "service1") as one, following(few, stopped, "&format=ndjson") as other:
        assert (one.status, other.status) == (200, 200)
        started = time.monotonic()
        few.stop(stopped)
        try:
            assert time.monotonic() - started < 5
            assert (one.read(), other.read()) == (b"", b"")  # IncompleteRead if it had been cut off
        finally:
            few.start(stopped)
