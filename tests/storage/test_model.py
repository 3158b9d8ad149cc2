"""storage against a model of it, a list in Python: whatever is done in whatever order, both say the same.

Through the API, and the commands' own code, on a database that is a file. Hypothesis chooses the steps, the same ones
in every run. For the fewest steps that show a difference add Phase.shrink, which takes minutes.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid5

import pytest
from django.conf import settings as django_settings
from django.test import Client
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from logs import following, import_lines, importing, pruning, views
from logs.limits import Limits
from logs.models import Edition, Fence, LogRecord
from statuslog.record import Record, show_timestamp

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("storage.urls"), pytest.mark.timeout(300)]

BEGINNING = datetime(2025, 9, 26, 16, 45, 0, tzinfo=UTC)
IDS = [UUID(int=number) for number in range(16)]
# Few values of everything, so that times tie, ids repeat and filters find something.
MOMENTS = st.integers(0, 6).map(lambda halves: BEGINNING + timedelta(seconds=halves / 2))
STATUS_LINES = st.builds(
    lambda second, free: (
        f"{BEGINNING + timedelta(seconds=second):%FT%T}Z: uptime 8.907 hours, free disk in root: {free}.00 MBytes"
    ),
    st.integers(0, 3),
    st.integers(1, 2),
)
LINES = st.sampled_from(["a", "b", "ä 😀", "=1+1", 'c,"d"']) | STATUS_LINES
SERVICES = st.sampled_from(["service1", "service2", ""])
RECORDS = st.builds(
    Record, id=st.sampled_from(IDS), service=SERVICES, instance=st.just("i"), timestamp=MOMENTS, line=LINES
)


KEEP, AGO = st.integers(0, 6), st.integers(-6, 2).map(lambda halves: timedelta(seconds=halves / 2))
LIMITS = (
    st.builds(Limits, keep_last=KEEP)
    | st.builds(Limits, older_than=AGO)
    | st.builds(
        Limits, max_bytes=st.sampled_from([0, 1, 3, 72, 145])
    )  # a byte less than lines of "a" have, and those of a status
    | st.builds(Limits, AGO, KEEP, st.integers(0, 300))
)


@dataclass
class Row:
    """A record of the model, and the how manieth to arrive it is."""

    arrival: int
    record: Record

    @property
    def key(self) -> tuple[datetime, int]:
        return self.record.timestamp, self.arrival


@dataclass
class Reader:
    """Somebody who reads page by page: the next page's address, and what was there when reading began."""

    address: str | None
    snapshot: list[Row]
    limit: int
    descending: bool
    last: tuple[datetime, int] | None = None


@dataclass
class Follower:
    """Somebody who follows: what is asked for, and the newest arrival that is no news."""

    answer: Any
    form: str
    service: str | None
    since: datetime | None
    seen: int
    event: tuple[str, int] | None = None  # the last one's id, and its arrival

    def __post_init__(self) -> None:
        self.parts: Iterator[bytes] = iter(self.answer)
        assert next(self.parts) == b""

    def news(self) -> str:
        """What is sent until there is nothing to say."""
        heartbeat = b":\n\n" if self.form == "events" else b"\n"
        return b"".join(iter(lambda: next(self.parts), heartbeat)).decode()


class Clock(datetime):
    """The arrival of a text, and the time of a prune, told by the model."""

    moment = BEGINNING

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return cls.moment


class Storage(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        for model in (LogRecord, Edition, Fence):
            model.objects.all().delete()
        self.client = Client()
        self.rows: list[Row] = []
        self.arrivals = 0
        self.begins: datetime | None = None  # a prune has begun: what is older is out of the log, but not yet deleted
        self.sent: list[tuple[list[Any], UUID | None]] = []
        self.readers: list[Reader] = []
        self.followers: list[Follower] = []
        self.fence: datetime | None = None
        self.changes = 0
        self.tags: dict[str, tuple[str, int]] = {}
        self.patches = ExitStack()
        patch = self.patches.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(views, "datetime", Clock)
        patch.setattr(pruning, "datetime", Clock)
        patch.setattr("logs.pruning.time.sleep", lambda seconds: None)
        for name in ("HEARTBEAT", "POLL", "PAUSE"):  # a follower's answer ends with a heartbeat where it would wait
            patch.setattr(following, name, 0)
        Clock.moment = BEGINNING

    def teardown(self) -> None:
        for follower in self.followers:
            follower.answer.close()
        self.patches.close()

    # the model

    @property
    def log(self) -> list[Row]:
        return sorted(
            (row for row in self.rows if not self.begins or row.key[0] >= self.begins), key=lambda row: row.key
        )

    def known(self) -> dict[UUID, Record]:
        return {row.record.id: row.record for row in self.rows}

    def add(self, records: Iterable[Record]) -> None:
        for record in records:
            self.arrivals += 1
            self.rows.append(Row(self.arrivals, record))
            self.changes += 1

    # what is done

    def post(self, body: str, content_type: str, **headers: str) -> tuple[int, dict[str, Any]]:
        headers["Accept"] = "application/json"
        answer = self.client.post("/log", body.encode(), content_type, headers=headers)
        return answer.status_code, answer.json()

    @rule(records=st.lists(RECORDS, min_size=1, max_size=4), as_lines=st.booleans(), fence=st.none() | MOMENTS)
    def post_records(self, records: list[Record], as_lines: bool, fence: datetime | None = None) -> None:
        headers = {} if fence is None else {"Log-Fence": show_timestamp(fence)}
        self.sent.append((records, None))
        known = self.known()
        new: dict[UUID, Record] = {}
        conflict = False
        for record in records:
            conflict = conflict or (known.get(record.id) or new.setdefault(record.id, record)) != record
        values = [record.to_json() for record in records]
        if as_lines:
            lines = "".join(f"{json.dumps(value)}\n" for value in values)
            answer = self.post(lines, "application/x-ndjson", **headers)
        else:
            answer = self.post(json.dumps(values), "application/json", **headers)
        if fence and self.fence and self.fence > fence:
            assert answer[0] == 412
            return
        self.check_stored(answer, len(records), None if conflict else list(new.values()))

    @rule(moment=MOMENTS)
    def set_fence(self, moment: datetime) -> None:
        code, _ = self.post("[]", "application/json", **{"Log-Fence": show_timestamp(moment)})
        assert code == (412 if self.fence and self.fence > moment else 200)
        self.fence = max(self.fence or moment, moment)

    @rule(lines=st.lists(LINES, min_size=1, max_size=3))
    def post_text(self, lines: list[str]) -> None:
        self.post_lines(lines, None)

    @rule(lines=st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=3), key=st.sampled_from(IDS[:2]))
    def post_text_with_a_key(self, lines: list[str], key: UUID) -> None:
        self.post_lines(lines, key)

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), more=st.sampled_from([[], [], ["a"]]))
    def post_again(self, data: st.DataObject, more: list[str]) -> None:
        """What was posted before, to the letter or with a line more."""
        sent, key = data.draw(st.sampled_from(self.sent))
        if key is None:
            self.post_records(sent, as_lines=False)
        else:
            self.post_lines([*sent, *more], key)

    def post_lines(self, lines: list[str], key: UUID | None) -> None:
        if key:
            self.sent.append((lines, key))
        Clock.moment += timedelta(milliseconds=250)
        ids = [key or UUID(int=0), *(uuid5(key, str(n)) for n in range(2, len(lines) + 2))] if key else []
        known = self.known()
        stored = [known[record_id].line if record_id in known else None for record_id in ids]
        answer = self.post("\n".join(lines), "text/plain", **({"Idempotency-Key": str(key)} if key else {}))
        new: list[Record] | None = [
            Record(
                id=ids[number] if key else UUID(int=2**64 + self.arrivals + number),
                service="",
                timestamp=Clock.moment + timedelta(microseconds=number + 1),
                line=line,
            )
            for number, line in enumerate(lines)
        ]
        if stored == [*lines, None]:
            new = []
        elif any(line is not None for line in stored):
            new = None
        self.check_stored(answer, len(lines), new)

    def check_stored(self, answer: tuple[int, dict[str, Any]], sent: int, new: list[Record] | None) -> None:
        code, body = answer
        if new is None:
            assert code == 409
            return
        assert (code, body) == (201 if new else 200, {"stored": len(new), "known": sent - len(new)})
        self.add(new)

    @rule(file=st.lists(STATUS_LINES, min_size=1, max_size=5), chunk=st.integers(1, 5))
    def import_file(self, file: list[str], chunk: int) -> None:
        """A line is known when the log has it at its time as often as the file has had it so far."""
        counts = importing.Counts()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(importing, "CHUNK", chunk)
            list(importing.bring_in([f"{line}\n".encode() for line in file], counts, django_settings.DATA_DIR))
        new = []
        for number, line in enumerate(file):
            second = datetime.fromisoformat(line[:20])
            stored = sum(
                row.record.line == line and row.record.timestamp.replace(microsecond=0) == second for row in self.rows
            )
            if stored < file[: number + 1].count(line):
                record_id = UUID(import_lines.line_id(line, second, file[: number + 1].count(line)))
                self.add([Record(id=record_id, service="", timestamp=second, line=line)])
                new.append(line)
        assert (counts.stored, counts.known, counts.rejected) == (len(new), len(file) - len(new), 0)

    @rule(limits=LIMITS)
    def begin_prune(self, limits: Limits) -> None:
        found = pruning.plan(limits)
        log = self.log
        before = max(self.bounds(limits), default=BEGINNING)
        count = sum(row.key[0] < before for row in log)
        if not count:
            assert found is None
            return
        assert found == pruning.Plan(before, count, len(log))
        pruning.begin(found)
        self.begins = before
        self.changes += 1

    def bounds(self, limits: Limits) -> Iterator[datetime]:
        """The time that the log is to begin at, by each of the limits that it is beyond."""
        log, keep = self.log, limits.keep_last
        if limits.older_than is not None:
            yield Clock.moment - limits.older_than
        if keep is not None and log and keep <= len(log):
            yield log[-keep].key[0] if keep else log[-1].key[0] + timedelta(microseconds=1)
        if limits.max_bytes is not None:
            kept = 0
            for row in reversed(log):
                kept += len(row.record.line.encode()) + 1
                if kept > limits.max_bytes:
                    yield row.key[0] + timedelta(microseconds=1)
                    return

    @precondition(lambda self: self.begins)
    @rule()
    def finish_prune(self) -> None:
        with pruning.alone():
            pruning.finish()
        self.rows = self.log
        self.begins = None
        self.tags.clear()  # the log is the same, and its tag may be another

    # what is read

    @rule(
        service=st.none() | SERVICES,
        contains=st.none() | st.sampled_from(["a", "ä", "uptime"]),
        since=st.none() | MOMENTS,
        until=st.none() | MOMENTS,
        part=st.none() | st.tuples(st.sampled_from(["limit", "tail"]), st.integers(0, 5)),
        descending=st.booleans(),
        form=st.sampled_from(["text", "ndjson", "csv"]),
    )
    def read(
        self,
        service: str | None,
        contains: str | None,
        since: datetime | None,
        until: datetime | None,
        part: tuple[str, int] | None,
        descending: bool,
        form: str,
    ) -> None:
        query: dict[str, Any] = {"service": service, "contains": contains, "format": form}
        query |= {"since": since and show_timestamp(since), "until": until and show_timestamp(until)}
        wanted = [
            row.record
            for row in self.log
            if service in (None, row.record.service)
            and (contains or "") in row.record.line
            and (since is None or row.key[0] >= since)
            and (until is None or row.key[0] < until)
        ]
        if part and part[0] == "tail":
            wanted = wanted[-part[1] :] if part[1] else []
        else:
            query["order"] = "desc" if descending else "asc"
            wanted = wanted[:: -1 if descending else 1][: part[1] if part else None]
        query |= dict([part]) if part else {}
        self.check_read(urlencode({name: value for name, value in query.items() if value is not None}), form, wanted)

    def check_read(self, query: str, form: str, wanted: Sequence[Record]) -> None:
        tag, changes = self.tags.get(query, ("", -1))
        answer: Any = self.client.get(f"/log?{query}", headers={"If-None-Match": tag})
        if changes == self.changes:
            assert answer.status_code == 304
            return
        assert answer.status_code == 200, answer.content
        self.tags[query] = answer["ETag"], self.changes
        assert list(shown(answer.getvalue().decode(), form)) == [show(record, form) for record in wanted]

    @precondition(lambda self: len(self.readers) < 2)
    @rule(limit=st.integers(1, 3), descending=st.booleans())
    def begin_to_page(self, limit: int, descending: bool) -> None:
        order = "desc" if descending else "asc"
        reader = Reader(f"/log?format=json&limit={limit}&order={order}", list(self.rows), limit, descending)
        self.readers.append(reader)
        self.page(reader)

    @precondition(lambda self: self.readers)
    @rule(data=st.data(), pages=st.integers(1, 2))
    def go_on_paging(self, data: st.DataObject, pages: int) -> None:
        for _ in range(pages):
            if self.readers:
                self.page(data.draw(st.sampled_from(self.readers)))

    def page(self, reader: Reader) -> None:
        """The next page of a reader: of what was there when reading began and still is, each record once."""
        assert reader.address
        there = {row.arrival for row in reader.snapshot}
        left = [row for row in self.log if row.arrival in there]
        if reader.descending:
            left = [row for row in reversed(left) if reader.last is None or row.key < reader.last]
        else:
            left = [row for row in left if reader.last is None or row.key > reader.last]
        answer = self.client.get(reader.address).json()
        page = left[: reader.limit]
        assert [show_json(record) for record in answer["records"]] == [show(row.record, "ndjson") for row in page]
        assert (answer["next"] is None) == (len(left) <= reader.limit)
        reader.address = answer["next"]
        if page:
            reader.last = page[-1].key
        if reader.address is None:
            self.readers.remove(reader)

    @precondition(lambda self: len(self.followers) < 2)
    @rule(
        service=st.none() | SERVICES,
        form=st.sampled_from(["text", "ndjson", "events", "events"]),
        tail=st.none() | st.integers(0, 3),
    )
    def begin_to_follow(self, service: str | None, form: str, tail: int | None) -> None:
        query = {"service": service, "tail": tail}
        self.follow(query, form, service, self.arrivals)
        last = [row for row in self.log if service in (None, row.record.service)]
        last = sorted(last[-tail:] if tail else [], key=lambda row: row.arrival)
        self.check_news(self.followers[-1], last)

    def follow(self, query: dict[str, Any], form: str, service: str | None, seen: int, **headers: str) -> None:
        asked = urlencode({name: value for name, value in query.items() if value is not None})
        headers["Accept"] = MEDIA_TYPES[form]
        answer = self.client.get(f"/log?follow=1&{asked}", headers=headers)
        assert answer.status_code == 200
        self.followers.append(Follower(answer, form, service, self.begins, seen))

    @precondition(lambda self: self.followers)
    @rule(data=st.data())
    def go_on_following(self, data: st.DataObject) -> None:
        self.check_news_since(data.draw(st.sampled_from(self.followers)))

    @precondition(lambda self: self.followers)
    @rule(lines=st.lists(LINES, max_size=2))
    def follow_again(self, lines: list[str]) -> None:
        """Somebody goes away, and comes back, if there was an event to go on behind."""
        gone = self.followers.pop(0)
        gone.answer.close()
        if lines:
            self.post_text(lines)
        if gone.event:
            event, seen = gone.event
            self.follow({"service": gone.service}, gone.form, gone.service, seen, **{"Last-Event-ID": event})
            self.check_news_since(self.followers[-1])

    @invariant()
    def the_first_follower_is_told_at_once(self) -> None:
        for follower in self.followers[:1]:
            self.check_news_since(follower)

    def check_news_since(self, follower: Follower) -> None:
        news = [
            row for row in self.rows if row.arrival > follower.seen and follower.service in (None, row.record.service)
        ]
        self.check_news(follower, [row for row in news if follower.since is None or row.key[0] >= follower.since])

    def check_news(self, follower: Follower, wanted: Sequence[Row]) -> None:
        text = follower.news()
        form = "text" if follower.form == "text" else "ndjson"
        if follower.form == "events":
            events = [event.split("\ndata: ") for event in text.split("\n\n")[:-1]]
            text = "".join(f"{data}\n" for _, data in events)
            if events:
                follower.event = events[-1][0].removeprefix("id: "), wanted[-1].arrival
        assert list(shown(text, form)) == [show(row.record, form) for row in wanted]
        follower.seen = self.arrivals

    @invariant()
    def the_log_is_the_model(self) -> None:
        self.check_read("", "text", [row.record for row in self.log])


MEDIA_TYPES = {"text": "text/plain", "ndjson": "application/x-ndjson", "events": "text/event-stream"}
Shown = tuple[str, ...] | str


def show(record: Record, form: str) -> Shown:
    """What the model knows of a record: not the id of a text's line."""
    return record.line if form == "text" else (show_timestamp(record.timestamp), record.service, record.line)


def show_json(values: dict[str, Any]) -> Shown:
    return values["timestamp"], values["service"], values["line"]


def shown(text: str, form: str) -> Iterator[Shown]:
    match form:
        case "text":
            yield from text.splitlines()
        case "ndjson":
            yield from (show_json(json.loads(line)) for line in text.splitlines())
        case "csv":
            for row in csv.DictReader(io.StringIO(text, newline="")):
                row["line"] = row["line"].removeprefix("'") if row["line"].startswith("'=") else row["line"]
                yield show_json(row)


def test_storage_does_what_the_model_does():
    run_state_machine_as_test(
        Storage,
        settings=settings(
            max_examples=20,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
