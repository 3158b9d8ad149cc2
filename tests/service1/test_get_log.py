"""`GET /log` of service1: storage's answer, handed on."""

import gzip
import socket
import threading
from collections.abc import Iterator

import pytest
from django.http import StreamingHttpResponse
from django.test import Client
from pytest_django import Settings

from statuslog.recorder import Recorder
from statuslog.storage_client import StorageClient
from tests.processes import free_ports
from tests.wrong_peer import (
    RUBBISH,
    Behaviour,
    WrongPeer,
    answering,
    from_storage,
    hanging,
    hanging_up,
    http,
    sending,
    wrong_peer,
)

pytestmark = pytest.mark.urls("service1.urls")

LOG = from_storage(answering(200, "a\nä\n".encode(), "Content-Type: text/plain; charset=utf-8"))


@pytest.fixture(autouse=True)
def peer(own: Recorder, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[WrongPeer]:
    """storage over a real socket, as this is about the bytes on it."""
    settings.MIDDLEWARE = settings.API_MIDDLEWARE  # pytest has storage's settings, whose admin has its own errors
    monkeypatch.setattr("service1.views.LOG_TIMEOUT", 0.4)
    with wrong_peer(LOG) as peer:
        own.storage = StorageClient(peer.url)
        yield peer


def body(client: Client, **ask) -> bytes:
    response = client.get("/log", **ask)
    assert isinstance(response, StreamingHttpResponse)
    return response.getvalue()


def test_status_type_and_body_are_storage_s(client: Client):
    response = client.get("/log")
    assert response.status_code == 200
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert isinstance(response, StreamingHttpResponse)
    assert response.getvalue() == "a\nä\n".encode()


def test_the_query_is_handed_on_as_it_is(client: Client, peer: WrongPeer):
    body(client, QUERY_STRING="service=a%20b&x=%C3%A4&format=json")
    assert peer.requests[0].startswith(b"GET /log?service=a%20b&x=%C3%A4&format=json HTTP/1.1\r\n")


@pytest.mark.parametrize("name", ["Accept", "Accept-Encoding", "If-None-Match"])
def test_what_the_client_accepts_and_has_is_handed_on(client: Client, peer: WrongPeer, name: str):
    body(client, headers={name: "thing/special"})
    assert f"\r\n{name}: thing/special\r\n".encode() in peer.requests[0] + b"\r\n"


@pytest.mark.parametrize("name", ["Cookie", "Authorization", "X-Forwarded-For"])
def test_nothing_else_of_the_client_s_is_handed_on(client: Client, peer: WrongPeer, name: str):
    body(client, headers={name: "secret.example"})
    assert b"secret" not in peer.requests[0]


def test_a_compressed_answer_stays_compressed(client: Client, peer: WrongPeer):
    peer.behaviour = from_storage(answering(200, gzip.compress(b"a\n"), "Content-Encoding: gzip"))
    response = client.get("/log", headers={"Accept-Encoding": "gzip"})
    assert response["Content-Encoding"] == "gzip"
    assert isinstance(response, StreamingHttpResponse)
    assert gzip.decompress(response.getvalue()) == b"a\n"


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_an_error_of_storage_is_handed_on(client: Client, peer: WrongPeer, status: int):
    headers = ("Content-Type: text/plain", "Retry-After: 1", "Server: x", "X-Y: z")
    peer.behaviour = from_storage(answering(status, b"why\n", *headers))
    response = client.get("/log")
    assert response.status_code == status
    assert response["Retry-After"] == "1"
    assert "X-Y" not in response
    assert isinstance(response, StreamingHttpResponse)
    assert response.getvalue() == b"why\n"


def test_storage_refused_is_502_as_one_line(client: Client, own: Recorder):
    own.storage = StorageClient(f"http://127.0.0.1:{free_ports(1)[0]}")
    response = client.get("/log")
    assert response.status_code == 502
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response.content == b"storage: unavailable (connection refused)\n"


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [(hanging, 504), (hanging_up, 502), (sending(RUBBISH), 502), (answering(200, b"<html>"), 502)],
    ids=["hanging", "hanging up", "rubbish", "another program"],
)
def test_storage_that_does_not_answer(client: Client, peer: WrongPeer, behaviour: Behaviour, status: int):
    peer.behaviour = behaviour
    response = client.get("/log", headers={"Accept": "application/json"})
    assert response.status_code == status
    assert response.json()["detail"].startswith("storage: unavailable (")


@pytest.mark.parametrize("hang", [False, True], ids=["dies", "falls silent"])
def test_a_log_that_breaks_off_is_not_ended_quietly(client: Client, peer: WrongPeer, hang: bool):
    peer.behaviour = from_storage(sending(http(200, b"a\nb\n")[:-2], hang=hang))
    response = client.get("/log")
    assert isinstance(response, StreamingHttpResponse)
    with pytest.raises(Exception, match=r"[Rr]ead"):
        response.getvalue()


def test_storage_may_be_silent_for_as_long_as_it_says(client: Client, peer: WrongPeer):
    def slow(connection: socket.socket, over: threading.Event) -> None:
        answer = http(200, b"found\n", "Answer-Silence: 5")
        connection.sendall(answer[:-6])
        over.wait(0.6)  # beyond LOG_TIMEOUT
        connection.sendall(answer[-6:])

    peer.behaviour = from_storage(slow)
    assert body(client) == b"found\n"


@pytest.mark.django_db  # at an answer's end Django looks at the database connections of its thread
@pytest.mark.parametrize("read", [True, False])
def test_the_connection_to_storage_is_free_again(client: Client, peer: WrongPeer, read: bool):
    for _ in range(3):
        response = client.get("/log")
        assert isinstance(response, StreamingHttpResponse)
        if read:
            response.getvalue()
        response.close()
    assert peer.connections == (1 if read else 3)


def test_head_asks_storage_with_head(client: Client, peer: WrongPeer):
    peer.behaviour = from_storage(sending(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n"))
    response = client.head("/log")
    assert peer.requests[0].startswith(b"HEAD /log ")
    assert response["Content-Length"] == "5"
