"""The header `Log-Verdict`, by which the services recognise storage's own answer."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from logs.models import Fence
from statuslog import tokens
from statuslog.record import Record, show_timestamp
from statuslog.verdict import CHALLENGE, VERDICT, Verdict, read
from tests.storage.conftest import MOMENT

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("storage.urls")]

ASKED = {CHALLENGE: "0123456789abcdef"}


@pytest.fixture(autouse=True)
def of_the_api(settings: Settings) -> None:
    settings.MIDDLEWARE = settings.API_MIDDLEWARE


def verdict(answer: Any) -> Verdict | None:
    return read(answer.get(VERDICT), ASKED[CHALLENGE])


@pytest.fixture
def send(post: Callable[..., Any]) -> Callable[..., Any]:
    def send(records: list[Any], **headers: str) -> Any:
        return post(json.dumps(records), "application/json", **ASKED, **headers)

    return send


def test_what_is_stored_and_what_is_known(send: Callable[..., Any], record: Record):
    for code in (201, 200):
        answer = send([record.to_json()])
        assert (answer.status_code, verdict(answer)) == (code, Verdict.STORED)


def test_a_fence_that_is_set_and_one_that_is_not(send: Callable[..., Any], record: Record):
    assert verdict(send([], **{"Log-Fence": show_timestamp(MOMENT)})) == Verdict.STORED
    assert Fence.objects.exists()
    earlier = {"Log-Fence": "2025-01-01T00:00:00Z"}
    for records in ([record.to_json()], []):
        assert verdict(send(records, **earlier)) == Verdict.FENCED


@pytest.mark.parametrize("values", [{"line": ""}, {"unknown": 1}, {"timestamp": "yesterday"}])
def test_a_wrong_record_is_refused(send: Callable[..., Any], record: Record, values: dict[str, Any]):
    answer = send([record.to_json() | values])
    assert (answer.status_code, verdict(answer)) == (400, Verdict.REFUSED)


def test_another_record_of_the_same_id_is_refused(send: Callable[..., Any], record: Record):
    send([record.to_json()])
    answer = send([record.to_json() | {"line": "another"}])
    assert (answer.status_code, verdict(answer)) == (409, Verdict.REFUSED)


def test_a_body_that_is_too_long(send: Callable[..., Any], record: Record, settings: Settings):
    settings.MAX_BODY_BYTES = 10
    answer = send([record.to_json()])
    assert (answer.status_code, verdict(answer)) == (413, Verdict.LARGE)


@pytest.mark.parametrize("body", [b"[{", b"\xff", b'[{"id": '])
def test_a_body_that_was_cut_or_spoilt_on_its_way_says_nothing_of_its_records(client: Client, body: bytes):
    answer = client.post("/log", body, "application/json", headers=ASKED)
    assert (answer.status_code, verdict(answer)) == (400, Verdict.ANSWERED)


@pytest.mark.parametrize("path", ["/log", "/edition", "/overview", "/readyz", "/healthz", "/nothing"])
def test_every_path_is_storage_s(client: Client, path: str):
    assert verdict(client.get(path, headers=ASKED)) == Verdict.ANSWERED
    assert VERDICT not in client.get(path)


def test_a_refusal_for_want_of_a_token_is_storage_s(client: Client, settings: Settings):
    settings.API_TOKENS = (tokens.Token("read", b"0123456789abcdef0123456789abcdef"),)
    answer = client.get("/log", headers=ASKED)
    assert (answer.status_code, verdict(answer)) == (401, Verdict.ANSWERED)


@pytest.mark.sqlite  # PostgreSQL's disk is not ours to see
def test_no_room_is_no_verdict_on_the_records(send: Callable[..., Any], record: Record, settings: Settings):
    settings.MIN_FREE_BYTES = 2**62
    answer = send([record.to_json()])
    assert (answer.status_code, verdict(answer)) == (507, Verdict.ANSWERED)


@pytest.mark.parametrize("challenge", ["", "x" * 65])
def test_no_answer_to_what_is_no_challenge(client: Client, challenge: str):
    assert VERDICT not in client.get("/readyz", headers={CHALLENGE: challenge})
