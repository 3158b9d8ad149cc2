"""Following the log: each record once, when it has been committed, in the order of arrival.

That is the order of the rows, as one commits after the other. By time a record that an outbox delivers late would
stand behind what a follower has seen already, and be missed: docs/adr/0018-followers.md.
"""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from socket import socket

from django.db.models import Max

from logs import pages
from logs.forms import NDJSON, RECORD, Form, Row, as_ndjson, as_text, moment, records
from logs.models import LogRecord
from logs.query import Query
from statuslog.rest import TEXT
from statuslog.streams import streams

HEARTBEAT = 15  # seconds; proxies take an answer that is silent for a minute for a dead one
POLL = 0.5  # what other processes have committed is seen that late
PAUSE = 0.05  # after each look: what is committed meanwhile is read together
PAGE = 500


def as_events(rows: Sequence[Row]) -> str:
    """Server-sent events, whose id is the record's row: https://html.spec.whatwg.org/multipage/server-sent-events.html"""
    pairs = zip(rows, records(rows), strict=True)
    return "".join([f"id: {row[1]}\ndata: {json.dumps(record.to_json())}\n\n" for row, record in pairs])


EVENTS = "text/event-stream"
# The form, and what is sent in it when there is nothing to say. No record's line is blank.
FORMS = {
    "text": (Form("text", "text/plain", TEXT, RECORD, as_text), b"\n"),
    "ndjson": (Form("ndjson", NDJSON, NDJSON, RECORD, as_ndjson), b"\n"),
    "events": (Form("events", EVENTS, EVENTS, RECORD, as_events), b":\n\n"),
}


class Feed:
    """The row of the newest record, for all followers of this process: one of them looks for it, every half a
    second, and at once when a commit of this process has called `grown`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._newest = 0
        self._stale_at = 0.0

    def grown(self) -> None:
        """To be called after a commit."""
        with self._changed:
            self._stale_at = 0.0
            self._changed.notify_all()

    def wait(self, seen: int, seconds: float, ended: threading.Event) -> int:
        """The newest row, as soon as it is another one, or when the time is over."""
        until = time.monotonic() + seconds
        while True:
            pages.let_go()
            with self._changed:
                now = time.monotonic()
                stale = now >= self._stale_at
                if stale:
                    self._stale_at = now + POLL  # the others wait for what this one finds
            if stale:
                self._look()
            with self._changed:
                if self._newest != seen or now >= until or ended.is_set():
                    return self._newest
                if now < self._stale_at:
                    self._changed.wait(min(self._stale_at, until) - now)

    def _look(self) -> None:
        newest = LogRecord.objects.aggregate(row=Max("row"))["row"] or 0
        with self._changed:  # not while looking: a commit does not wait for it
            self._newest = newest
            self._changed.notify_all()


feed = Feed()


class Following:
    """The body of one follower's answer; raises TooMany when it is made. `after` is the row that it has seen last."""

    def __init__(self, query: Query, form: Form, heartbeat: bytes, after: int | None, client: socket | None) -> None:
        self._query = query
        self._form = form
        self._heartbeat = heartbeat
        self._after = after
        self._ended = threading.Event()
        self._stream = streams.add(self._ended.set, client)  # which is seen at the next look of the feed

    def close(self) -> None:
        streams.remove(self._stream)

    def __iter__(self) -> Iterator[bytes]:
        newest = pages.state().newest
        # A log that has gone back to a backup does not reach as far as the follower has seen.
        seen = newest if self._after is None else min(self._after, newest)
        yield b""  # the head need not wait for the first record
        if self._after is None and self._query.tail:
            yield self._written(self._tail(self._query.tail, newest))
        while not self._ended.is_set():
            newest = feed.wait(seen, HEARTBEAT, self._ended)
            if newest < seen:  # the log has gone back to a backup, or the feed has not looked since we have
                seen = min(seen, pages.state().newest)
            elif newest == seen and not self._ended.is_set():
                yield self._heartbeat
            while seen < newest and not self._ended.is_set():
                rows = pages.arrivals(seen, newest, PAGE)
                yield self._written(rows)
                seen = rows[-1][1] if len(rows) == PAGE else newest
            self._ended.wait(PAUSE)

    def _tail(self, count: int, newest: int) -> list[Row]:
        found: list[Row] = []
        for rows, _ in pages.read(self._query, RECORD, newest, count, None, backwards=True):
            found += rows
        return sorted(found, key=lambda row: row[1])  # by arrival: whoever is cut off in the middle goes on from there

    def _written(self, rows: Sequence[Row]) -> bytes:
        return self._form.write([row for row in rows if self._is_asked_for(row)]).encode()

    def _is_asked_for(self, row: Row) -> bool:
        query = self._query
        service, instance = row[2 + RECORD.index("service")], row[2 + RECORD.index("instance")]
        return (
            query.service in (None, service)
            and query.instance in (None, instance)
            and (query.contains is None or query.contains in row[-1])
            and (query.since is None or moment(row) >= query.since)
        )
