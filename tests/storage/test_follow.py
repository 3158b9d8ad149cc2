"""`GET /log?follow=1`: each record once, in the order of arrival."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.http import StreamingHttpResponse
from django.test import Client

from logs import following, pages
from logs.following import Feed
from logs.models import LogRecord
from statuslog.record import Record
from statuslog.streams import Streams
from tests.storage.conftest import MOMENT
from tests.storage.test_get_log import keep

pytestmark = [pytest.mark.django_db, pytest.mark.urls("storage.urls")]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A feed that looks at the log each time, and heartbeats instead of waiting."""
    for name in ("HEARTBEAT", "POLL", "PAUSE"):
        monkeypatch.setattr(following, name, 0)
    monkeypatch.setattr(following, "feed", Feed())
    monkeypatch.setattr(following, "streams", Streams(2))


class Follower:
    """What one client is sent."""

    def __init__(self, client: Client, query: str = "", **headers: str) -> None:
        self.response = client.get(f"/log?follow=1{query}", headers=headers)
        assert self.response.status_code == 200, self.response.content
        assert isinstance(self.response, StreamingHttpResponse)
        self._parts: Iterator[Any] = iter(self.response)
        assert next(self._parts) == b""

    def __next__(self) -> str:
        return str(next(self._parts), "utf-8")


def test_what_comes_is_sent_and_what_was_there_is_not(client: Client):
    keep(1, 2)
    follower = Follower(client)
    assert follower.response["Content-Type"] == "text/plain; charset=utf-8"
    assert next(follower) == "\n"  # the heartbeat
    keep(3)
    assert next(follower) == "line 2\n"
    keep(5, 4)
    assert next(follower) == "line 3\nline 4\n"
    assert next(follower) == "\n"


def test_what_is_delivered_late_is_sent_when_it_comes(client: Client):
    keep(5)
    follower = Follower(client)
    keep(9, 1)
    keep(4)
    assert next(follower) == "line 1\nline 2\nline 3\n"


def test_more_than_a_page_at_once(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(following, "PAGE", 2)
    follower = Follower(client)
    keep(1, 2, 3, 4, 5)
    assert [next(follower) for _ in range(4)] == ["line 0\nline 1\n", "line 2\nline 3\n", "line 4\n", "\n"]


def test_it_may_begin_with_the_last_records(client: Client):
    keep(9, 1, 8, 7)
    follower = Follower(client, "&tail=2")
    assert next(follower) == "line 0\nline 2\n"  # the last by time, in the order of arrival
    keep(3)
    assert next(follower) == "line 4\n"


def test_ndjson_is_the_whole_record(client: Client, post, record: Record):
    follower = Follower(client, "&format=ndjson")
    post(json.dumps(record.to_json()), "application/json")
    assert follower.response["Content-Type"] == "application/x-ndjson"
    assert Record.from_json(json.loads(next(follower))) == record


def test_events_have_an_id_to_go_on_from(client: Client):
    keep(1)
    follower = Follower(client, Accept="text/event-stream")
    assert follower.response["Content-Type"] == "text/event-stream"
    assert next(follower) == ":\n\n"
    keep(2, 3)
    name, data, *rest = next(follower).splitlines()
    assert json.loads(data.removeprefix("data: "))["line"] == "line 1"
    assert rest[1].startswith("id: ")
    again = Follower(client, Accept="text/event-stream", **{"Last-Event-ID": name.removeprefix("id: ")})
    assert '"line 2"' in next(again)


def test_a_log_that_has_gone_back_is_followed_from_where_it_is(client: Client):
    keep(1, 2)
    follower = Follower(client, **{"Last-Event-ID": str(10**15)})
    keep(3)
    assert next(follower) == "line 2\n"
    LogRecord.objects.filter(line__in=["line 1", "line 2"]).delete()
    assert next(follower) == "\n"


def test_a_log_that_goes_back_is_noticed_before_the_heartbeat(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(following, "HEARTBEAT", 2)
    keep(1, 2, 3)
    follower = Follower(client)
    keep(4)
    assert next(follower) == "line 3\n"
    LogRecord.objects.all().delete()
    state = pages.state

    def and_then_a_record_comes() -> pages.State:
        found = state()
        LogRecord.objects.create(row=1, record_id=UUID(int=9), timestamp=MOMENT, received_at=MOMENT, line="again")
        return found

    monkeypatch.setattr(pages, "state", and_then_a_record_comes)
    assert next(follower) == "again\n"


@pytest.mark.parametrize(
    ("query", "expected"), [("&service=s", "line 1\n"), ("&instance=i", "line 2\n"), ("&contains=e+0", "line 0\n")]
)
def test_only_what_is_asked_for(client: Client, query: str, expected: str):
    follower = Follower(client, query)
    keep(1, 2, 3)
    LogRecord.objects.filter(line="line 1").update(service="s")
    LogRecord.objects.filter(line="line 2").update(instance="i")
    assert next(follower) == expected


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("follow=yes", "follow: must be one of 0, 1"),
        ("follow=1&since=1h", "follow: goes without since; leave one of the two out"),
        ("follow=1&limit=1", "follow: goes without limit; leave one of the two out"),
        ("follow=1&tail=1001", "tail: must be 0 to 1,000 with follow=1"),
        (
            "follow=1&format=csv",
            "format: must be one of text, ndjson with follow=1; Accept: text/event-stream asks for events",
        ),
    ],
)
def test_what_does_not_go_together(client: Client, query: str, why: str):
    answer = client.get(f"/log?{query}")
    assert (answer.status_code, answer.text) == (400, f"{why}\n")


def test_a_wrong_last_event_is_named(client: Client):
    answer = client.get("/log?follow=1", headers={"Last-Event-ID": "x"})
    assert (answer.status_code, answer.text) == (400, "Last-Event-ID: 'x' is not the id of an event\n")


def test_follow_0_is_no_follower(client: Client):
    keep(1)
    assert client.get("/log?follow=0&limit=1").getvalue() == b"line 0\n"


def test_at_their_bound_503(client: Client):
    _ = Follower(client), Follower(client)
    answer = client.get("/log?follow=1")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "MAX_FOLLOWERS" in answer.text


def test_head_counts_for_none(client: Client):
    for _ in range(5):
        assert client.head("/log?follow=1")["Content-Type"].startswith("text/plain")
