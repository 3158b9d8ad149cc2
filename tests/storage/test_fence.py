"""The fence: what comes late from one who was given up is refused."""

import json
from datetime import timedelta
from typing import Any

import pytest

from logs.models import Fence
from statuslog.record import Record, show_timestamp
from tests.storage.conftest import MOMENT

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("storage.urls")]

EARLIER, LATER = MOMENT - timedelta(microseconds=1), MOMENT + timedelta(microseconds=1)


def send(post: Any, records: list[Record], fence: Any = None) -> Any:
    headers = {} if fence is None else {"Log-Fence": fence if isinstance(fence, str) else show_timestamp(fence)}
    return post(json.dumps([record.to_json() for record in records]), "application/json", **headers)


def test_an_empty_list_sets_the_fence(post):
    assert send(post, [], MOMENT).status_code == 200
    assert Fence.objects.get().timestamp == MOMENT


def test_what_carries_an_earlier_time_is_refused(post, record: Record, lines):
    send(post, [], LATER)
    refused = send(post, [record], MOMENT)
    assert refused.status_code == 412
    assert refused.text == "the log is fenced off before 2025-09-26T16:45:06.123457Z\n"
    assert lines() == []


@pytest.mark.parametrize("fence", [MOMENT, LATER, None])
def test_what_carries_a_later_time_or_none_is_stored(post, record: Record, lines, fence: Any):
    send(post, [], MOMENT)
    assert send(post, [record], fence).status_code == 201
    assert lines() == [record.line]


def test_the_fence_never_goes_back(post):
    send(post, [], LATER)
    assert send(post, [], EARLIER).status_code == 412
    assert Fence.objects.get().timestamp == LATER


def test_a_fence_of_a_wrong_clock_keeps_nobody_out(post, record: Record, lines):
    send(post, [], MOMENT.replace(year=2099))
    assert send(post, [record], MOMENT).status_code == 201
    assert send(post, [], MOMENT).status_code == 200
    assert Fence.objects.get().timestamp == MOMENT
    assert lines() == [record.line]


def test_records_do_not_move_the_fence(post, record: Record):
    send(post, [record], LATER)
    assert not Fence.objects.exists()


def test_nonsense_is_refused(post):
    assert send(post, [], "yesterday").status_code == 400


def test_an_empty_list_without_a_fence_is_an_error(post):
    assert send(post, []).status_code == 400
