"""Wrong methods, paths and wishes: the same answers everywhere, never a stack trace, never HTML."""

import json

import pytest

from tests.contract.client import JSON, PROBLEM, TEXT, ask, exchange, get, get_json
from tests.processes import Services

pytestmark = pytest.mark.live

READ = "GET, HEAD, OPTIONS"
PATHS = [
    ("service1", "/", READ),
    ("service1", "/status", READ),
    ("service1", "/log", READ),
    ("service1", "/healthz", READ),
    ("service1", "/readyz", READ),
    ("service2", "/status", READ),
    ("service2", "/healthz", READ),
    ("service2", "/readyz", READ),
    ("storage", "/log", "GET, POST, HEAD, OPTIONS"),
    ("storage", "/healthz", READ),
    ("storage", "/readyz", READ),
    ("storage", "/edition", READ),
    ("storage", "/overview", READ),
]
each_path = pytest.mark.parametrize(("name", "path", "allowed"), PATHS)
each_service = pytest.mark.parametrize("name", ["service1", "service2", "storage"])


def address(services: Services, name: str, path: str) -> str:
    return f"{getattr(services, name)}{path}"


@each_path
@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "TRACE", "BREW"])
def test_another_method_is_405_with_allow(services: Services, name: str, path: str, allowed: str, method: str):
    answer = ask(method, address(services, name, path))
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
    assert answer.headers["Content-Type"] in (TEXT, PROBLEM)
    assert len(answer.text.splitlines()) == 1


@pytest.mark.parametrize(("name", "path"), [("service1", "/status"), ("service1", "/log"), ("service2", "/status")])
def test_only_storage_takes_a_post(services: Services, name: str, path: str):
    assert ask("POST", address(services, name, path), data=b"a").status_code == 405
    assert get(f"{services.storage}/log").content == b""


@each_path
def test_options_and_head_work(services: Services, name: str, path: str, allowed: str):
    options = ask("OPTIONS", address(services, name, path))
    assert (options.status_code, options.headers["Allow"], options.content) == (204, allowed, b"")
    head = ask("HEAD", address(services, name, path))
    assert (head.status_code, head.content) == (200, b"")


@each_path
def test_an_error_is_a_problem_for_who_asks_for_json(services: Services, name: str, path: str, allowed: str):
    answer = ask("DELETE", address(services, name, path), headers={"Accept": JSON})
    assert (answer.status_code, answer.headers["Content-Type"]) == (405, PROBLEM)
    assert answer.json() == {
        "type": "about:blank",
        "title": "Method Not Allowed",
        "status": 405,
        "detail": 'Method "DELETE" not allowed.',
    }


@each_service
@pytest.mark.parametrize(
    "path", ["/nope", "/", "/status/", "/log/", "/log/1", "//log", "/../log/..", "/%00", "/%ff", "/log%0a", "/static/x"]
)
def test_another_path_is_404(services: Services, name: str, path: str):
    if name == "service1" and path in ("/", "/../log/.."):  # the same to a client, and the one that has a page there
        path = "/page/"
    answer = get(address(services, name, path))
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, TEXT)
    assert answer.text == "there is nothing at this path\n"
    problem = get_json(address(services, name, path))
    assert (problem.status_code, problem.headers["Content-Type"]) == (404, PROBLEM)
    assert problem.json()["detail"] == "there is nothing at this path"


def test_storage_has_no_status_and_service2_no_log(services: Services):
    assert get(f"{services.storage}/status").status_code == 404
    assert get(f"{services.service2}/log").status_code == 404


@pytest.mark.parametrize(
    ("name", "path", "why"),
    [
        ("service1", "/status", "unknown format: use ?format=text or ?format=json"),
        ("service2", "/status", "unknown format: use ?format=text or ?format=json"),
        ("service1", "/log", "format: must be one of text, json, ndjson, csv"),
        ("storage", "/log", "format: must be one of text, json, ndjson, csv"),
    ],
)
@pytest.mark.parametrize("unknown", ["xml", "TEXT"])
def test_an_unknown_format_is_400(services: Services, name: str, path: str, why: str, unknown: str):
    answer = get(address(services, name, path), params={"format": unknown})
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, TEXT)
    assert answer.text == f"{why}\n"


@pytest.mark.parametrize("name", ["service1", "service2"])
@pytest.mark.parametrize("accept", ["image/png", "application/xml"])
def test_what_nobody_can_answer_is_406_as_text(services: Services, name: str, accept: str):
    answer = get(address(services, name, "/status"), headers={"Accept": accept})
    assert (answer.status_code, answer.headers["Content-Type"]) == (406, TEXT)
    assert answer.text == "this is answered as text/plain or application/json only\n"


@each_service
def test_nothing_is_kept_of_a_wrong_request(services: Services, name: str):
    for method, path in [
        ("GET", "/status?format=xml"),
        ("DELETE", "/status"),
        ("OPTIONS", "/status"),
        ("GET", "/nope"),
    ]:
        ask(method, address(services, name, path))
    assert services.vstorage.read_bytes() == b""
    assert get(f"{services.storage}/log").content == b""


START = b"GET /status HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /log HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
# What no view sees, and the status that says what is wrong with it.
NOT_HTTP = {
    "bytes": (400, b"\x00\x01\r\n\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "half a line": (400, b"GET\r\n\r\n"),
    "HTTP/0.9": (400, b"GET /status\r\n"),
    "HTTP/9.9": (400, b"GET /status HTTP/9.9\r\n\r\n"),
    "line feeds alone": (400, b"GET /status HTTP/1.1\nHost: a\n\n"),
    "no colon": (400, START + b"no colon\r\n\r\n"),
    "space before the colon": (400, START + b"Accept : text/plain\r\n\r\n"),
    "a folded header": (400, START + b"A: b\r\n c\r\n\r\n"),
    "two hosts": (400, START + b"Host: b\r\n\r\n"),
    "a long query": (414, b"GET /status?" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a line without an end": (414, b"GET /" + b"a" * 100_000),
    "a long cookie": (431, START + b"Cookie: " + b"a" * 9000 + b"\r\n\r\n"),
    "many headers": (431, START + b"A: b\r\n" * 200 + b"\r\n"),
    "headers without an end": (431, START + b"A: bbbbbbbbbbbbb\r\n" * 10_000),
    "another expectation": (417, START + b"Expect: x\r\n\r\n"),
    "length -1": (400, POST + b"Content-Length: -1\r\n\r\n"),
    "two lengths": (400, POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\na"),
    "a length and chunks": (400, POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "chunks not last": (400, POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n"),
    "an unknown coding": (501, POST + b"Transfer-Encoding: br\r\n\r\n"),
}


def parts(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the only answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert int(headers["Content-Length"]) == len(body)
    assert headers["Connection"] == "close"
    return int(line.split()[1]), headers, body


@each_service
@pytest.mark.parametrize("what", NOT_HTTP)
def test_what_no_view_sees_is_refused_with_a_line_of_text(services: Services, name: str, what: str):
    code, request = NOT_HTTP[what]
    already = len(services.output(name))
    status, headers, body = parts(exchange(services.ports[name], request))
    assert (status, headers["Content-Type"]) == (code, TEXT)
    assert len(body.decode().splitlines()) == 1
    logged = services.output(name)[already:]
    assert f"refused with {code}: " in logged
    assert "Traceback" not in logged


@each_service
@pytest.mark.parametrize("asked", ["Accept", "format"])
def test_it_is_a_problem_for_a_client_that_asks_for_json(services: Services, name: str, asked: str):
    line, accept = (b"", b"Accept: application/json\r\n") if asked == "Accept" else (b"?format=json", b"")
    request = b"GET /status" + line + b" HTTP/1.1\r\nHost: a\r\n" + accept + b"Expect: x\r\n\r\n"
    status, headers, body = parts(exchange(services.ports[name], request))
    assert (status, headers["Content-Type"]) == (417, PROBLEM)
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Expectation Failed",
        "status": 417,
        "detail": "Unable to comply with expectation: 'x'",
    }


@each_service
def test_the_error_of_a_head_request_has_no_body(services: Services, name: str):
    answer = exchange(services.ports[name], b"HEAD /status HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 417 Expectation Failed\r\n")
    assert answer.endswith(b"\r\n\r\n")


def test_nothing_behind_a_refused_request_is_answered(services: Services):
    hidden = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    for request in (
        POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
        POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
        POST + b"Content-Length: 20000000\r\n\r\n" + hidden,
    ):
        answer = exchange(services.ports["storage"], request)
        assert answer.count(b"HTTP/1.1 ") == 1, answer
        assert answer.startswith(b"HTTP/1.1 4")


@each_service
def test_a_header_of_the_server_s_own_is_not_believed(services: Services, name: str):
    request = b"GET /nope HTTP/1.1\r\nHost: localhost\r\nSCRIPT_NAME: /x\r\nConnection: close\r\n\r\n"
    assert exchange(services.ports[name], request).startswith(b"HTTP/1.1 404 ")


@each_service
@pytest.mark.parametrize("host", ["", "evil.example", "a b", "127.0.0.1:99999", "[::1"])
def test_any_host_header_is_answered_without_a_stack_trace(services: Services, name: str, host: str):
    request = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    answer = exchange(services.ports[name], request)
    assert answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 400 "))
    assert b"Traceback" not in answer
    assert b"ALLOWED_HOSTS" not in answer
