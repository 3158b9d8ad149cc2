"""`POST /log` of storage."""

import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.contract.client import JSON, TEXT, ask, exchange, get, post, within
from tests.contract.conftest import Start, another_writer
from tests.processes import Services
from tests.required import leave_out

pytestmark = pytest.mark.live

MOMENT = datetime(2025, 9, 26, 16, 45, 6, 123456, tzinfo=UTC)


def record(**values: Any) -> dict[str, Any]:
    moment = MOMENT.isoformat().replace("+00:00", "Z")
    return {"id": str(uuid4()), "service": "service1", "timestamp": moment, "line": "a line", **values}


@pytest.fixture
def url(services: Services) -> str:
    return f"{services.storage}/log"


def log(url: str) -> bytes:
    return get(url).content


def refused(url: str, body: Any, status: int, reason: str, content_type: str | None = "text/plain", **headers: str):
    """The answer is an error that names its reason in one line of text, and nothing was stored."""
    before = log(url)
    answer = post(url, body, content_type, **headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, TEXT), answer.text
    assert reason in answer.text
    assert len(answer.text.splitlines()) == 1
    assert log(url) == before


# text


def test_a_post_appends_its_lines(url: str):
    assert post(url, b"first\nsecond\n").status_code == 201
    assert post(url, "dritte, ä 日本 😀".encode()).status_code == 201
    assert log(url) == "first\nsecond\ndritte, ä 日本 😀\n".encode()


def test_curl_d_by_default(url: str):
    answer = post(url, b"a=1&b=%20 +c", "application/x-www-form-urlencoded", User_Agent="curl/8.14.1", Accept="*/*")
    assert (answer.status_code, answer.text) == (201, "stored 1, known already 0\n")
    assert log(url) == b"a=1&b=%20 +c\n"


def test_a_posted_line_stands_at_its_arrival_whatever_it_says(url: str):
    post(url, b"now")
    post(url, b"1999-01-01T00:00:00Z: uptime 1.000 hours, free disk in root: 1.00 MBytes")
    assert log(url).startswith(b"now\n1999")


def test_a_line_of_4096_characters(url: str):
    assert post(url, ("😀" * 4096).encode()).status_code == 201


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is empty"),
        (b"\n", "line 1: the line is blank"),
        (b"a\n\nb", "line 2: the line is blank"),
        ("a".encode("utf-16"), "line 1: not UTF-8"),
        (b"a\n\xc3\x28", "line 2: not UTF-8"),
        (b"a\rb", "line 1: character U+000D"),
        (b"a\nb\0", "line 2: character U+0000 at column 2"),
        ("a\u2028b".encode(), "line 1: character U+2028"),
        ("a\u2029b".encode(), "line 1: character U+2029"),
        ("a\u202eb".encode(), "line 1: character U+202E"),
        ("a\u2066b".encode(), "line 1: character U+2066"),
        (b"\x1b[31mred", "line 1: character U+001B"),
        (b"a\n" + b"x" * 4097, "line 2: the line has 4,097 characters"),
        (b"x" * 5000, "line 1: the line has 5,000 characters"),
    ],
    ids=[
        "empty",
        "only a newline",
        "blank line",
        "UTF-16",
        "broken UTF-8",
        "lone CR",
        "NUL",
        "U+2028",
        "U+2029",
        "bidi override",
        "bidi isolate",
        "escape",
        "4,097 characters",
        "5,000 characters",
    ],
)
def test_a_wrong_text_is_400_naming_line_and_reason(url: str, body: bytes, reason: str):
    refused(url, body, 400, reason)


# JSON


def test_a_record_of_json(url: str):
    assert post(url, json.dumps(record()), JSON).status_code == 201
    assert log(url) == b"a line\n"


def test_a_list_of_1000_twice(url: str):
    moment = MOMENT
    body = json.dumps(
        [record(line=f"line {n}", timestamp=(moment + timedelta(seconds=n)).isoformat()) for n in range(1000)]
    )
    assert post(url, body, JSON).status_code == 201
    again = post(url, body, JSON)
    assert (again.status_code, again.text) == (200, "stored 0, known already 1000\n")
    assert log(url).decode().splitlines() == [f"line {n}" for n in range(1000)]


def test_a_known_id_is_stored_once_however_often_it_is_sent(url: str):
    body = json.dumps(record())
    assert [post(url, body, JSON).status_code for _ in range(4)] == [201, 200, 200, 200]
    assert log(url) == b"a line\n"


def test_the_same_id_with_another_content_is_409(url: str):
    first = record()
    post(url, json.dumps(first), JSON)
    refused(url, json.dumps([record(), {**first, "line": "other"}]), 409, first["id"], JSON)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"disk_free_bytes": NaN}', "NaN"),
        ("[]", "one or more"),
        ("{}", "field 'id' is missing"),
        ("{", "JSON"),
        ("[" * 100_000, "nested too deeply"),
        (json.dumps([record(), record(line="a\nb")]), "record 2: field 'line': character U+000A"),
        (json.dumps(record(load=1)), "unknown field 'load'"),
        (json.dumps(record(line="\ud800")), "field 'line': character U+D800"),
    ],
    ids=["NaN", "empty list", "empty object", "half", "deep", "one of two wrong", "unknown field", "half a character"],
)
def test_wrong_json_is_400_naming_record_and_reason(url: str, body: str, reason: str):
    refused(url, body, 400, reason, JSON)


def test_answers_and_errors_are_json_for_who_asks_for_it(url: str):
    assert post(url, b"a", Accept=JSON).json() == {"stored": 1, "known": 0}
    assert post(url, b"", Accept=JSON).json()["detail"] == "the body is empty; send one record a line"


# Idempotency-Key


def test_a_text_with_a_key_is_stored_once(url: str):
    key = str(uuid4())
    assert [post(url, b"a\nb", Idempotency_Key=key).status_code for _ in range(3)] == [201, 200, 200]
    assert post(url, b"a\nb", Idempotency_Key=f'"{key}"').status_code == 200  # as the IETF's draft writes it
    assert log(url) == b"a\nb\n"


@pytest.mark.parametrize("other", [b"a\nx", b"a", b"a\nb\nc"])
def test_the_key_with_another_text_is_409(url: str, other: bytes):
    key = str(uuid4())
    post(url, b"a\nb", Idempotency_Key=key)
    refused(url, other, 409, "exists and is another one", Idempotency_Key=key)


def test_a_key_that_is_no_uuid_is_400(url: str):
    refused(url, b"a", 400, "Idempotency-Key: 'seven' is not a UUID", Idempotency_Key="seven")


# what is not taken


@pytest.mark.parametrize("client", ["urllib", "requests", "curl", "curl that waits"])
def test_a_client_that_sends_20_megabytes_reads_the_413(url: str, client: str, tmp_path: Path):
    body = tmp_path / "body"
    body.write_bytes(b"x\n" * 10**7)
    wanted = "the body has 20,000,000 bytes; MAX_BODY_BYTES allows 1,048,576\n"
    for _ in range(5):
        if client == "urllib":
            question = urllib.request.Request(url, body.read_bytes(), {"Content-Type": "text/plain"})
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(question, timeout=10)
            assert (caught.value.code, caught.value.read().decode()) == (413, wanted)
        elif client == "requests":
            answer = post(url, body.read_bytes())
            assert (answer.status_code, answer.text) == (413, wanted)
        elif not shutil.which("curl"):
            leave_out("no curl")
        else:
            waits = "Expect: 100-continue" if client == "curl that waits" else "Expect:"
            command = ["curl", "-sS", "--data-binary", f"@{body}", "-H", "Content-Type: text/plain", "-H", waits, url]
            done = subprocess.run([*command, "-w", "%{http_code}"], capture_output=True, text=True, check=True)
            assert done.stdout == f"{wanted}413"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain", "Transfer-Encoding": "chunked"}, 411),
        ({"Content-Type": "image/png"}, 415),
        ({"Content-Type": "text/plain", "Origin": "https://elsewhere.example"}, 403),
        ({"Content-Type": "text/plain", "Log-Fence": "never"}, 400),
    ],
)
def test_a_client_whose_body_is_not_read_reads_why(url: str, headers: dict[str, str], status: int):
    def pieces() -> Iterator[bytes]:
        for _ in range(16):
            yield b"x\n" * 2**15

    for _ in range(5):
        body: Any = pieces() if "Transfer-Encoding" in headers else b"".join(pieces())
        answer = ask("POST", url, data=body, headers=headers)
        assert answer.status_code == status


def test_a_body_of_10_megabytes_is_413(url: str):
    with within(3):
        refused(url, b"x" * 10**7, 413, "the body has 10,000,000 bytes; MAX_BODY_BYTES allows 1,048,576")


def test_a_body_of_exactly_the_limit_is_taken(url: str):
    line = b"x" * 1023 + b"\n"
    assert post(url, line * 1024).status_code == 201
    refused(url, line * 1024 + b"y", 413, "1,048,577 bytes")


def test_a_promise_of_a_petabyte_is_refused_before_it_is_sent(services: Services):
    head = b"POST /log HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nConnection: close\r\n"
    with within(3):
        answer = exchange(services.ports["storage"], head + b"Content-Length: 1000000000000000\r\n\r\nx")
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_chunked_body_is_411(url: str):
    refused(url, iter([b"a", b"b"]), 411, "send the body with a Content-Length, not in chunks")


def test_no_length_at_all_is_411(services: Services):
    head = b"POST /log HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    assert exchange(services.ports["storage"], head).startswith(b"HTTP/1.1 411 ")


@pytest.mark.parametrize("content_type", ["application/xml", "multipart/form-data; boundary=x", "text/csv", "x", None])
def test_another_media_type_is_415(url: str, content_type: str | None):
    refused(url, b"a", 415, "Unsupported media type", content_type)


@pytest.mark.sqlite
def test_too_little_free_disk_is_507_and_not_ready(start: Start, static_root: object):
    services = start("storage", MIN_FREE_BYTES=str(2**62), STATIC_ROOT=str(static_root))
    refused(f"{services.storage}/log", b"a", 507, "MIN_FREE_BYTES")
    answer = get(f"{services.storage}/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["disk_low"])


def test_a_write_lock_that_is_not_won_is_503_with_retry_after(services: Services, url: str):
    with another_writer(services):
        with within(3):
            answer = post(url, b"a")
        assert log(url) == b""  # readers are not held up
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert "nothing was stored" in answer.text
    assert log(url) == b""
    assert post(url, b"a").status_code == 201


def test_posts_that_come_together_are_all_stored(url: str):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: post(url, f"a {n}\nb {n}".encode()).status_code, range(100)))
    assert answers == [201] * 100
    lines = log(url).decode().splitlines()
    assert sorted(lines) == sorted(f"{x} {n}" for x in "ab" for n in range(100))


def test_a_client_that_leaves_in_the_middle_of_its_body_has_stored_nothing(services: Services, url: str):
    with socket.create_connection(("127.0.0.1", services.ports["storage"])) as connection:
        head = "POST /log HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\n"
        connection.sendall(f"{head}a\nb".encode())
    post(url, b"later")
    assert log(url) == b"later\n"


def test_options_names_the_methods(url: str):
    answer = ask("OPTIONS", url)
    assert (answer.status_code, answer.headers["Allow"]) == (204, "GET, POST, HEAD, OPTIONS")
