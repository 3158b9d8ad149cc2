"""`POST /log`."""

import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.test import RequestFactory
from pytest_django import Settings
from rest_framework.exceptions import ParseError

from logs import readiness
from logs.models import LogRecord
from logs.parsers import PARSERS, Lines
from statuslog import quantities
from statuslog.record import Record
from tests.processes import ROOT
from tests.storage.conftest import MOMENT

pytestmark = [pytest.mark.django_db, pytest.mark.urls("storage.urls")]

JSON = "application/json"
NDJSON = "application/x-ndjson"
LINE = "2025-09-26T16:45:06Z: uptime 8.907 hours, free disk in root: 36207.60 MBytes"


def dumps(*records: Record) -> str:
    return json.dumps([record.to_json() for record in records])


# text


def test_a_line_of_text_is_stored(post, lines):
    response = post("hello\n")
    assert (response.status_code, response.text) == (201, "stored 1, known already 0\n")
    assert lines() == ["hello"]


def test_the_last_line_needs_no_newline(post, lines):
    post("a\nb")
    assert lines() == ["a", "b"]


def test_what_curl_sends_is_text(post, lines):
    assert post("a=1&b=%20+c", "application/x-www-form-urlencoded").status_code == 201
    assert lines() == ["a=1&b=%20+c"]


@pytest.mark.parametrize(
    "line", ["ä", "日本語 😀", "<script>alert(1)</script>", "'; DROP TABLE logs_logrecord; --", "%s {}"]
)
def test_text_is_stored_as_it_is(post, lines, line: str):
    post(line.encode())
    assert lines() == [line]


def test_a_posted_text_stands_at_its_arrival(post):
    before = datetime.now(UTC)
    post(LINE)
    row = LogRecord.objects.get()
    assert before <= row.timestamp <= row.received_at <= datetime.now(UTC)


def test_a_line_of_the_record_s_format_fills_its_columns(post):
    post(LINE)
    row = LogRecord.objects.get()
    assert row.host_uptime_seconds == pytest.approx(8.907 * 3600)
    assert row.disk_free_bytes == round(36207.60 * 2**20)
    assert row.container_uptime_seconds is row.disk_total_bytes is None
    assert row.service == row.instance == ""


def test_another_line_leaves_them_unknown(post):
    post("hello")
    row = LogRecord.objects.get()
    assert row.host_uptime_seconds is row.disk_free_bytes is None


def test_the_values_of_another_program_s_line_are_read(post, lines):
    post("Timestamp2: uptime 0.03 hours, free disk in root: 40700 Mbytes")
    row = LogRecord.objects.get()
    assert row.host_uptime_seconds == pytest.approx(0.03 * 3600)
    assert row.disk_free_bytes == 40700 * 2**20
    assert lines() == ["Timestamp2: uptime 0.03 hours, free disk in root: 40700 Mbytes"]


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("body", ["a\r\nb\r\n", "\ufeffa\nb", "\ufeffa\r\nb", "a\nb\r\n"])
def test_crlf_and_a_byte_order_mark_are_no_content(post, lines, body: str, media_type: str):
    assert post(body.encode(), media_type).status_code == 201
    assert lines() == ["a", "b"]


def test_a_byte_order_mark_within_is_content(post, lines):
    post("a\ufeff\n\ufeffb".encode())
    assert lines() == ["a\ufeff", "\ufeffb"]


def test_the_same_text_with_crlf_is_the_same(post):
    key = str(uuid4())
    assert post(b"a\nb\n", **{"Idempotency-Key": key}).status_code == 201
    assert post(b"a\r\nb\r\n", **{"Idempotency-Key": key}).status_code == 200


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_records_after_a_byte_order_mark(post, lines, record: Record, form: str):
    body, media_type = (dumps(record), JSON) if form == "json" else (f"{json.dumps(record.to_json())}\r\n", NDJSON)
    assert post(b"\xef\xbb\xbf" + body.encode(), media_type).status_code == 201
    assert lines() == [record.line]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is empty; send one record a line"),
        (b"\n", "line 1: the line is blank"),
        (b"a\n\nb\n", "line 2: the line is blank"),
        (b"a\n \n", "line 2: the line is blank"),
        (b"a\n\xff\n", "line 2: not UTF-8: byte 0xff is wrong there"),
        ("a\n".encode("utf-16"), "line 1: not UTF-8: byte 0xff is wrong there"),
        (b"\xed\xa0\x80", "line 1: not UTF-8: byte 0xed is wrong there"),
        (b"a\rb", "line 1: character U+000D at column 2 is not allowed"),
        (b"a\r\r\n", "line 1: character U+000D at column 2 is not allowed"),
        (b"a\r", "line 1: character U+000D at column 2 is not allowed"),
        (b"a\r\n\r\n", "line 2: the line is blank"),
        (b"\r\n", "line 1: the line is blank"),
        (b"\xef\xbb\xbf", "line 1: the line is blank"),
        (b"\xef\xbb\xbf\r\n", "line 1: the line is blank"),
        (b"\xef\xbb", "line 1: not UTF-8: byte 0xef is wrong there"),
        (b"a\n\0", "line 2: character U+0000 at column 1 is not allowed"),
        ("a\u2028b".encode(), "line 1: character U+2028 at column 2 is not allowed"),
        ("a\u202eb".encode(), "line 1: character U+202E at column 2 is not allowed"),
        (b"a\nb\n" + b"x" * 4097, "line 3: the line has 4,097 characters; 4,096 are allowed"),
    ],
)
def test_a_wrong_text_is_refused_by_its_line_and_nothing_is_stored(post, lines, body: bytes, reason: str):
    response = post(body)
    assert (response.status_code, response.text) == (400, f"{reason}\n")
    assert lines() == []


def test_the_longest_line(post, lines):
    assert post("😀" * 4096).status_code == 201
    assert lines() == ["😀" * 4096]


# JSON


def test_a_record_is_stored_with_all_its_values(post, record: Record):
    response = post(json.dumps(record.to_json()), JSON)
    assert response.status_code == 201
    row = LogRecord.objects.get()
    assert (row.record_id, row.service, row.instance) == (record.id, "service1", "host-a")
    assert row.timestamp == MOMENT
    assert row.host_uptime_seconds == record.host_uptime_seconds
    assert row.container_uptime_seconds == record.container_uptime_seconds
    assert row.disk_free_bytes == record.disk_free_bytes
    assert row.disk_total_bytes == record.disk_total_bytes
    assert row.line == record.line


def test_the_answer_is_json_when_asked_for(post, record: Record):
    assert post(dumps(record), JSON, Accept=JSON).json() == {"stored": 1, "known": 0}


def many(record: Record, count: int) -> list[dict[str, object]]:
    return [
        {**record.to_json(), "id": str(UUID(int=n)), "timestamp": (MOMENT + timedelta(seconds=n)).isoformat()}
        for n in range(count)
    ]


def test_a_list_of_1000_once_and_again(post, record: Record):
    body = json.dumps(many(record, 1000))
    assert (post(body, JSON).status_code, LogRecord.objects.count()) == (201, 1000)
    again = post(body, JSON)
    assert (again.status_code, again.text) == (200, "stored 0, known already 1000\n")
    assert LogRecord.objects.count() == 1000


def test_a_list_that_is_known_in_part(post, record: Record):
    post(json.dumps(many(record, 2)), JSON)
    response = post(json.dumps(many(record, 3)), JSON)
    assert (response.status_code, response.text) == (201, "stored 1, known already 2\n")


def test_the_same_record_twice_in_one_list_is_stored_once(post, lines, record: Record):
    response = post(dumps(record, record), JSON)
    assert (response.status_code, response.text) == (201, "stored 1, known already 1\n")
    assert lines() == [record.line]


@pytest.mark.parametrize(
    ("name", "value"), [("line", "other"), ("timestamp", "2025-09-26T00:00:00Z"), ("disk_free_bytes", None)]
)
def test_the_same_id_with_another_content_is_a_conflict(post, lines, record: Record, name: str, value: object):
    post(dumps(record), JSON)
    new = {**record.to_json(), "id": str(uuid4())}
    response = post(json.dumps([new, {**record.to_json(), name: value}]), JSON)
    assert response.status_code == 409
    assert str(record.id) in response.text
    assert lines() == [record.line]  # not the new one either: all or none


def test_two_contents_of_one_id_in_one_list_are_a_conflict(post, lines, record: Record):
    body = json.dumps([record.to_json(), {**record.to_json(), "line": "other"}])
    assert post(body, JSON).status_code == 409
    assert lines() == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is empty"),
        (b"[]", "send a record as a JSON object, or a list of one or more of them"),
        (b"1", "send a record as a JSON object"),
        (b"null", "send a record as a JSON object"),
        (b'"a line"', "send a record as a JSON object"),
        (b"{}", "field 'id' is missing"),
        (b"[1]", "record 1: a record must be a JSON object"),
        (b"[[]]", "record 1: a record must be a JSON object"),
        (b"{", "JSON"),
        (b"a line", "JSON"),
        (b"\xff", "JSON"),
        ("[]".encode("utf-16"), "JSON"),
        (b'{"disk_free_bytes": NaN}', "NaN"),
        (b'{"disk_free_bytes": -Infinity}', "Infinity"),
        (b"[" * 100_000, "JSON"),
        (b'{"a":' * 100_000, "JSON"),
        (b"[" + b"9" * 5000 + b"]", "JSON"),
    ],
)
def test_json_that_is_no_record_is_refused(post, lines, body: bytes, reason: str):
    response = post(body, JSON)
    assert response.status_code == 400
    assert reason in response.text
    assert len(response.text) < 300
    assert lines() == []


def test_one_wrong_record_of_a_list_is_named_and_nothing_is_stored(post, lines, record: Record):
    wrong = {**record.to_json(), "id": str(uuid4()), "line": "a\nb"}
    response = post(json.dumps([record.to_json(), wrong]), JSON)
    assert response.status_code == 400
    assert response.text == "record 2: field 'line': character U+000A at column 2 is not allowed\n"
    assert lines() == []


# NDJSON


def ndjson(*records: object) -> str:
    return "".join(f"{json.dumps(record)}\n" for record in records)


def test_a_record_a_line(post, client, record: Record):
    body = ndjson(*many(record, 3))
    response = post(body, NDJSON)
    assert (response.status_code, response.text) == (201, "stored 3, known already 0\n")
    stored = b"".join(client.get("/log?format=ndjson").streaming_content).decode()
    assert [json.loads(line)["id"] for line in stored.splitlines()] == [str(UUID(int=n)) for n in range(3)]
    again = post(stored.removesuffix("\n"), NDJSON)  # the last line needs no end
    assert (again.status_code, again.text) == (200, "stored 0, known already 3\n")


def test_one_of_them_with_another_content_is_a_conflict(post, lines, record: Record):
    first, second = many(record, 2)
    post(ndjson(first), NDJSON)
    response = post(ndjson(second, {**first, "line": "other"}), NDJSON)
    assert response.status_code == 409
    assert str(first["id"]) in response.text
    assert lines() == [record.line]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("", "no JSON: Expecting value at column 1"),
        ("a line", "no JSON: Expecting value at column 1"),
        ("[]", "a record must be a JSON object"),
        ("{}", "field 'id' is missing"),
        ("[" * 10_000, "no JSON: nested too deeply"),
        ("9" * 5000, "no JSON: a number has too many digits"),
        ("\xff", "no JSON: Expecting value at column 1"),
        ('{"disk_free_bytes": NaN}', "field 'id' is missing"),
    ],
)
def test_a_wrong_one_is_named_by_its_line_and_nothing_is_stored(post, lines, record: Record, wrong: str, reason: str):
    response = post(ndjson(record.to_json()) + f"{wrong}\n", NDJSON)
    assert (response.status_code, response.text) == (400, f"line 2: {reason}\n")
    assert lines() == []


def test_what_the_document_shows_is_taken(post):
    schemas = json.loads((ROOT / "storage/storage/openapi.json").read_text())["components"]["schemas"]
    example, pattern = schemas["RecordLines"]["example"], schemas["RecordLines"]["pattern"]
    least = ndjson({"id": str(uuid4()), "service": "", "timestamp": "2025-09-26T16:45:06Z", "line": "a"})
    assert re.search(pattern, least)
    assert post(example + least, NDJSON).text == "stored 2, known already 0\n"


class Trickle(io.BytesIO):
    """Gives as little at a time as a socket may, and remembers how much it was asked for."""

    largest = 0

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None
        assert size > 0, "all at once"
        self.largest = max(self.largest, size)
        return super().read(min(size, 10))


def lines_of(stream: io.BytesIO, content_type: str, length: int) -> list[bytes]:
    request = RequestFactory().post("/log", b"x" * length, content_type)
    (parser,) = (parser for parser in PARSERS if parser.media_type == content_type)
    found = parser().parse(stream, content_type, {"request": request})
    assert isinstance(found, Lines)
    return list(found.lines)


@pytest.mark.parametrize("content_type", ["text/plain", NDJSON])
def test_a_body_is_read_piece_by_piece(record: Record, content_type: str):
    body = ndjson(*many(record, 20)).encode()
    stream = Trickle(body)
    assert lines_of(stream, content_type, len(body)) == body.splitlines()
    assert stream.largest <= 64 * 1024


@pytest.mark.parametrize("content_type", ["text/plain", NDJSON])
def test_a_body_that_ends_too_soon_is_refused(content_type: str):
    with pytest.raises(ParseError, match="shorter than its Content-Length"):
        lines_of(Trickle(b"a line\nand half an"), content_type, 30)


# Idempotency-Key

UNUSED = "8e03978e-40d5-43e8-bc93-6894a57f9324"


def test_a_text_with_a_key_is_stored_once(post, lines):
    key = uuid4()
    assert post("a\nb", key=key).status_code == 201
    assert post("a\nb", key=key).status_code == 200
    assert post("a\nb\n", key=key).status_code == 200
    assert lines() == ["a", "b"]


@pytest.mark.parametrize("other", ["x\nb", "a\nx", "a", "a\nb\nc", "b\na", "c"])
def test_the_same_key_with_another_text_is_a_conflict(post, lines, other: str):
    key = uuid4()
    post("a\nb", key=key)
    response = post(other, key=key)
    assert response.status_code == 409
    assert lines() == ["a", "b"]


@pytest.mark.parametrize("form", ['"{}"', ' "{}" ', '"{}";version=1', "{{{}}}"])
def test_a_key_in_quotes_is_the_same_key(post, lines, form: str):
    key = uuid4()
    assert post("a", key=key).status_code == 201
    assert post("a", key=form.format(str(key).upper())).status_code == 200
    assert lines() == ["a"]


def test_another_key_is_another_text(post, lines):
    post("a", key=uuid4())
    post("a", key=uuid4())
    post("a")
    assert lines() == ["a", "a", "a"]


def test_a_key_is_the_record_s_id(post, record: Record):
    post("a", key=record.id)
    assert LogRecord.objects.get().record_id == record.id
    assert post(dumps(record), JSON).status_code == 409


@pytest.mark.parametrize(
    "key",
    ["", "7", "x" * 5000, '""', '"7"', f'"{UNUSED}', f"'{UNUSED}'", f'"{UNUSED}" x', f'"{UNUSED}", "{UNUSED}"'],
)
def test_a_key_that_is_no_uuid_is_refused(post, lines, key: str):
    response = post("a", key=key)
    assert response.status_code == 400
    assert response.text.startswith("Idempotency-Key: ")
    assert lines() == []


@pytest.mark.parametrize("name", ["Idempotency-Key", "Log-Fence"])
def test_a_wrong_header_is_refused_whatever_the_body_is(post, lines, record: Record, name: str):
    for body, content_type in (("a", "text/plain"), (dumps(record), JSON)):
        response = post(body, content_type, **{name: "nonsense"})
        assert response.status_code == 400
        assert response.text.startswith(f"{name}: ")
    assert lines() == []


# what is not taken


@pytest.mark.parametrize(
    "content_type", ["application/xml", "multipart/form-data; boundary=x", "text/html", "nonsense"]
)
def test_another_media_type_is_415(post, lines, content_type: str):
    assert post("a", content_type).status_code == 415
    assert lines() == []


@pytest.mark.parametrize("content_type", ["text/plain; charset=utf-8", "TEXT/PLAIN", "text/plain;x=y"])
def test_the_media_type_may_have_parameters(post, content_type: str):
    assert post("a", content_type).status_code == 201


def test_a_body_over_the_limit_is_413(post, lines, settings: Settings):
    settings.MAX_BODY_BYTES = 10
    assert post("x" * 10).status_code == 201
    response = post("x" * 11)
    assert response.status_code == 413
    assert response.text == "the body has 11 bytes; MAX_BODY_BYTES allows 10\n"
    assert lines() == ["x" * 10]


def test_a_body_of_unknown_length_is_411(client, lines):
    response = client.post("/log", b"a", content_type="text/plain", CONTENT_LENGTH="")
    assert response.status_code == 411
    assert lines() == []


@pytest.mark.sqlite
def test_too_little_free_disk_is_507(post, lines, settings: Settings):
    settings.MIN_FREE_BYTES = 2**62
    response = post("a")
    assert response.status_code == 507
    assert "MIN_FREE_BYTES" in response.text
    assert lines() == []
    assert list(readiness.disk()) == ["disk_low"]


@pytest.mark.sqlite
def test_the_disk_that_is_kept_free_can_be_a_share(monkeypatch: pytest.MonkeyPatch, settings: Settings):
    monkeypatch.setattr("statuslog.probe.disk_bytes", lambda path: (50, 1000))
    settings.MIN_FREE_BYTES = quantities.size_or_share("5%")
    assert list(readiness.disk()) == []
    settings.MIN_FREE_BYTES = quantities.size_or_share("5.1%")
    assert list(readiness.disk()) == ["disk_low"]


@pytest.mark.sqlite
def test_a_disk_that_does_not_say_what_is_free_is_not_full(post, lines, settings: Settings):
    settings.DATA_DIR = Path("/proc")  # as ramfs and some overlays, it counts no blocks
    assert post("a").status_code == 201
    assert lines() == ["a"]
    assert list(readiness.disk()) == []


def test_the_event_of_a_batch_names_the_requests_whose_records_it_brings(
    post, record: Record, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level("INFO", "statuslog.middleware"):
        post(dumps(record), JSON, **{"X-Request-ID": "mine", "Batch-Request-IDs": 'a,b,no "id",mine'})
    (event,) = (found for found in caplog.records if found.name == "statuslog.middleware")
    assert event.fields["batch"] == ["a", "b"]  # type: ignore[attr-defined]
