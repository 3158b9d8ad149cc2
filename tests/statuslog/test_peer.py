"""Another service over HTTP: deadlines that hold, and an error for everything that is not an answer."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from statuslog import peer
from statuslog.peer import Peer, PeerError, PeerTimeout
from tests.processes import free_ports
from tests.wrong_peer import (
    RUBBISH,
    Behaviour,
    WrongPeer,
    answering,
    byte_by_byte,
    endless,
    hanging,
    hanging_up,
    http,
    sending,
    slow_body,
    wrong_peer,
)

TIMEOUT = 0.6


@pytest.fixture
def other() -> Iterator[WrongPeer]:
    with wrong_peer(answering(200, b"hello")) as other:
        yield other


def get(url: str, timeout: float = TIMEOUT, **options) -> bytes:
    with Peer(url).request("GET", "/path", timeout=timeout, **options) as response:
        return peer.read(response, 1000)


def failure(other: WrongPeer, behaviour: Behaviour) -> PeerError:
    """The error of a request to `other`, which must come in time."""
    other.behaviour = behaviour
    with in_time(), pytest.raises(PeerError) as error:
        get(other.url)
    return error.value


@contextmanager
def in_time() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < TIMEOUT + 0.4


# good answers


def test_an_answer_is_read(other: WrongPeer):
    assert get(other.url) == b"hello"


def test_the_request_is_sent_as_it_is(other: WrongPeer):
    with Peer(other.url).request("POST", "/a?b=%20c", timeout=1, body=b"body", headers={"X-Thing": "1"}) as response:
        peer.read(response, 1000)
    head, _, body = other.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /a?b=%20c HTTP/1.1\r\n")
    assert b"\r\nX-Thing: 1" in head
    assert body == b"body"


def test_a_connection_is_used_again(other: WrongPeer):
    client = Peer(other.url)
    for _ in range(5):
        with client.request("GET", "/", timeout=1) as response:
            peer.read(response, 1000)
    assert other.connections == 1


def test_the_time_spent_idle_does_not_count(other: WrongPeer):
    client = Peer(other.url)
    for _ in range(2):
        with client.request("GET", "/", timeout=0.3) as response:
            assert peer.read(response, 1000) == b"hello"
        time.sleep(0.4)


def test_a_peer_that_was_restarted_is_no_error(other: WrongPeer):
    client = Peer(other.url)
    other.behaviour = sending(http(200, b"hello"))  # and closes, without having said so
    for _ in range(3):
        with client.request("GET", "/", timeout=1) as response:
            assert peer.read(response, 1000) == b"hello"
        time.sleep(0.05)


def test_many_threads_share_one_peer(other: WrongPeer):
    client = Peer(other.url)

    def ask(number: int) -> bytes:
        with client.request("GET", f"/{number}", timeout=5) as response:
            return peer.read(response, 1000)

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(ask, range(100))) == {b"hello"}


def test_a_compressed_answer_is_read_as_what_it_means(other: WrongPeer):
    other.behaviour = answering(200, gzip.compress(b"hello"), "Content-Encoding: gzip")
    assert get(other.url) == b"hello"


def test_a_redirect_is_not_followed(other: WrongPeer):
    other.behaviour = answering(302, b"", f"Location: {other.url}/elsewhere")
    with Peer(other.url).request("GET", "/", timeout=1) as response:
        assert response.status_code == 302
    assert len(other.requests) == 1


def test_no_proxy_and_no_password_of_the_environment_is_used(
    other: WrongPeer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_ports(1)[0]}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert get(other.url) == b"hello"
    assert b"authorization" not in other.requests[0].lower()


# no answer


def test_refused():
    with in_time(), pytest.raises(PeerError, match="connection refused"):
        get(f"http://127.0.0.1:{free_ports(1)[0]}")


def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch):
    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)  # the machine's own resolver may take its time
    with pytest.raises(PeerError, match="its name is not known"):
        get("http://nowhere.invalid")


def test_an_address_that_cannot_be_one():
    with pytest.raises(PeerError, match="its address is wrong"):
        get("http://" + "a" * 70)


@contextmanager
def not_accepting() -> Iterator[tuple[str, int]]:
    """The address of a listener that does not take one more connection, nor refuse it: like a machine that is off."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        yield full.getsockname()


def test_a_peer_that_does_not_even_accept():
    with not_accepting() as (host, port), in_time(), pytest.raises(PeerTimeout):
        get(f"http://{host}:{port}")


@pytest.fixture
def replicas(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Gives a name the addresses that it is called with; returns a URL of that name."""

    def resolve_to(*addresses: tuple[str, int]) -> str:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
        return "http://replicas.invalid:80"

    return resolve_to


def test_replicas_that_do_not_accept_get_no_more_time_than_one(replicas: Callable[..., str]):
    with not_accepting() as address, in_time(), pytest.raises(PeerTimeout):
        get(replicas(address, address, address))


def test_of_several_replicas_one_that_answers_is_enough(other: WrongPeer, replicas: Callable[..., str]):
    address = ("127.0.0.1", int(other.url.rpartition(":")[2]))
    with not_accepting() as gone:
        assert get(replicas(gone, address)) == b"hello"
        assert get(replicas(("127.0.0.1", free_ports(1)[0]), gone, address)) == b"hello"


def test_hanging(other: WrongPeer):
    error = failure(other, hanging)
    assert isinstance(error, PeerTimeout)
    assert str(error) == "no answer within 0.6 s"


@pytest.mark.parametrize(
    "behaviour",
    [
        byte_by_byte(http(200, b"hello")),
        slow_body(b"hello, hello"),
        sending(http(200, b"hello")[:-2], hang=True),
        sending(b"HTTP/1.1 200 OK\r\n", hang=True),
    ],
    ids=["byte by byte", "slow body", "silent in the body", "silent in the head"],
)
def test_a_slow_answer_is_not_waited_for_beyond_the_deadline(other: WrongPeer, behaviour: Behaviour):
    assert isinstance(failure(other, behaviour), PeerTimeout)


@pytest.mark.parametrize(
    ("behaviour", "text"),
    [
        (hanging_up, "connection lost"),
        (sending(b"", reset=True), "connection lost"),
        (sending(http(200, b"hello")[:-2]), "connection lost"),
        (sending(http(200, b"hello")[:-2], reset=True), "connection lost"),
        (sending(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"), "connection lost"),
        (sending(RUBBISH), "not an HTTP answer"),
        (sending(b"HTTP/1.1 nonsense\r\n\r\n"), "not an HTTP answer"),
        (endless, "the answer is longer than 1,000 bytes"),
        (answering(200, gzip.compress(b"x" * 10**7), "Content-Encoding: gzip"), "longer than 1,000 bytes"),
        (answering(200, b"not gzip", "Content-Encoding: gzip"), "the request failed: ContentDecodingError"),
    ],
    ids=[
        "closed at once",
        "reset at once",
        "closed in the body",
        "reset in the body",
        "closed in a chunk",
        "rubbish",
        "a rubbish status",
        "1 GB",
        "a compression bomb",
        "wrongly compressed",
    ],
)
def test_a_wrong_answer_is_an_error_that_says_so(other: WrongPeer, behaviour: Behaviour, text: str):
    error = failure(other, behaviour)
    assert text in str(error)
    assert not isinstance(error, PeerTimeout)


@pytest.mark.parametrize("timeout", [0, -0.5])
def test_no_time_left_is_a_time_out(other: WrongPeer, timeout: float):
    with pytest.raises(PeerTimeout):
        get(other.url, timeout=timeout)
    assert other.requests == []


def test_after_a_failure_the_next_request_is_like_the_first(other: WrongPeer):
    client = Peer(other.url)
    for behaviour in (hanging, sending(RUBBISH), sending(http(200, b"hello")[:-2], reset=True)):
        other.behaviour = behaviour
        with pytest.raises(PeerError), client.request("GET", "/", timeout=0.3) as response:
            peer.read(response, 1000)
    other.behaviour = answering(200, b"hello")
    with client.request("GET", "/", timeout=1) as response:
        assert peer.read(response, 1000) == b"hello"


# streaming


def streamed(url: str, timeout: float = 0.4) -> list[bytes]:
    with Peer(url).request("GET", "/", timeout=timeout, headers={"Accept-Encoding": "gzip"}) as response:
        return list(peer.stream(response, timeout))


def test_a_stream_of_any_length_comes_in_small_parts(other: WrongPeer):
    other.behaviour = answering(200, b"x" * 10**6)
    parts = streamed(other.url)
    assert sum(map(len, parts)) == 10**6
    assert max(map(len, parts)) <= peer.CHUNK


def test_a_stream_is_passed_on_as_it_was_sent(other: WrongPeer):
    sent = gzip.compress(b"hello")
    other.behaviour = answering(200, sent, "Content-Encoding: gzip")
    assert b"".join(streamed(other.url)) == sent


def test_an_empty_stream(other: WrongPeer):
    other.behaviour = answering(200, b"")
    assert b"".join(streamed(other.url)) == b""


def test_a_long_stream_may_take_longer_than_the_time_out_between_its_parts(other: WrongPeer):
    parts = b"".join(b"1\r\nx\r\n" for _ in range(6)) + b"0\r\n\r\n"

    def send(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for start in range(0, len(parts), 6):
            connection.sendall(parts[start : start + 6])
            time.sleep(0.2)

    other.behaviour = send
    assert b"".join(streamed(other.url)) == b"x" * 6


@pytest.mark.parametrize("hang", [False, True], ids=["breaks off", "falls silent"])
def test_a_stream_that_does_not_come_to_its_end_does_not_end_quietly(other: WrongPeer, hang: bool):
    other.behaviour = sending(http(200, b"hello")[:-2], hang=hang)
    with in_time(), pytest.raises(PeerTimeout if hang else PeerError):
        streamed(other.url)
