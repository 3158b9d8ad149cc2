"""`POST /log` of records whose time has not come yet."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from logs.models import LogRecord
from statuslog.record import EPOCH, Record, new_id
from statuslog.verdict import CHALLENGE, VERDICT, Verdict, read

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("storage.urls")]

OF_A_SERVICE = {CHALLENGE: "0123456789abcdef"}


def ahead(record: Record, **by: float) -> Record:
    return replace(record, id=new_id(), timestamp=datetime.now(UTC) + timedelta(**by))


def as_json(*records: Record) -> tuple[str, str]:
    return json.dumps([made.to_json() for made in records]), "application/json"


def test_five_minutes_are_taken_for_two_clocks(post: Callable[..., Any], record: Record):
    assert post(*as_json(ahead(record, minutes=4.9))).status_code == 201


def test_one_of_many_is_named_and_nothing_is_stored(post: Callable[..., Any], record: Record, lines: Any):
    answer = post(*as_json(record, ahead(record, minutes=5.1)))
    assert answer.status_code == 400
    assert answer.text.startswith("record 2: its time 20")
    assert "is more than 5 minutes ahead of storage's clock (20" in answer.text
    assert lines() == []


@pytest.mark.parametrize("year", [2100, 9999])
def test_in_every_form(post: Callable[..., Any], record: Record, lines: Any, year: int):
    far = replace(record, timestamp=datetime(year, 12, 31, 23, 59, 59, 999999, UTC)).to_json()
    for body, content_type, place in (
        (far, "application/json", "its time"),
        ([far], "application/json", "record 1: its time"),
        (far, "application/x-ndjson", "line 1: its time"),
    ):
        answer = post(json.dumps(body), content_type)
        assert answer.status_code == 400
        assert answer.text.startswith(place)
    assert lines() == []


def test_a_service_is_told_why(post: Callable[..., Any], record: Record, settings: Settings):
    settings.MIDDLEWARE = settings.API_MIDDLEWARE
    answer = post(*as_json(ahead(record, hours=1)), **OF_A_SERVICE)
    assert answer.status_code == 400
    assert read(answer[VERDICT], OF_A_SERVICE[CHALLENGE]) == Verdict.EARLY


def test_a_service_may_follow_the_log_when_the_clock_was_set_back(post: Callable[..., Any], record: Record, lines: Any):
    LogRecord.objects.create(
        record_id=new_id(), timestamp=datetime.now(UTC) + timedelta(hours=9), received_at=EPOCH, line="newest"
    )
    assert post(*as_json(ahead(record, hours=9))).status_code == 400
    assert post(*as_json(ahead(record, hours=9)), **OF_A_SERVICE).status_code == 201
    assert post(*as_json(ahead(record, hours=10)), **OF_A_SERVICE).status_code == 400
    assert len(lines()) == 2


def test_a_service_does_not_follow_a_log_that_is_far_ahead(post: Callable[..., Any], record: Record):
    far = datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)
    LogRecord.objects.create(record_id=new_id(), timestamp=far, received_at=EPOCH, line="newest")
    assert post(*as_json(replace(record, timestamp=far)), **OF_A_SERVICE).status_code == 400
    assert post(*as_json(ahead(record, seconds=1)), **OF_A_SERVICE).status_code == 201
