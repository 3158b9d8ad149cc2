"""Which ids a request gets, and which of those that come with it are taken."""

import re
from collections.abc import Iterator

import pytest

from statuslog import tracing
from statuslog.peer import Peer, PeerError
from tests.wrong_peer import answering, hanging_up, wrong_peer

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture(autouse=True)
def no_request() -> Iterator[None]:
    yield
    tracing.end()


def test_a_request_without_headers_gets_ids_of_its_own():
    one, other = tracing.begin(), tracing.begin()
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", tracing.headers()["traceparent"])
    for trace in (one, other):
        assert re.fullmatch("[0-9a-f]{32}", trace.request_id)
        assert trace.parent_id == ""
    assert len({one.request_id, one.trace_id, other.request_id, other.trace_id}) == 4
    assert one.span_id != other.span_id


@pytest.mark.parametrize("given", ["a", "A-b_c.9", "x" * 64])
def test_a_request_id_is_taken(given: str):
    tracing.begin(given)
    assert tracing.headers()["X-Request-ID"] == given


@pytest.mark.parametrize(
    "given", ["", "x" * 65, "a b", "a,b", 'a"', "a\n", "a\r\nX: y", "é", "\u0661", "{}", "a\x00", "\u202ea", "a/b"]
)
def test_what_is_no_request_id_is_not_taken(given: str):
    assert re.fullmatch("[0-9a-f]{32}", tracing.begin(given).request_id)


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        (f"00-{TRACE}-{SPAN}-01", "01"),
        (f"00-{TRACE}-{SPAN}-00", "00"),
        (f"00-{TRACE}-{SPAN}-ff", "01"),
        (f"01-{TRACE}-{SPAN}-00", "00"),
        (f"cc-{TRACE}-{SPAN}-01-what-comes-later", "01"),
    ],
)
def test_a_trace_goes_on(given: str, flags: str):
    trace = tracing.begin("", given)
    assert (trace.trace_id, trace.parent_id, trace.flags) == (TRACE, SPAN, flags)
    assert trace.span_id != SPAN
    assert tracing.headers()["traceparent"] == f"00-{TRACE}-{trace.span_id}-{flags}"


@pytest.mark.parametrize(
    "given",
    [
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01-",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"ff-{TRACE}-{SPAN}-01",
        f"0-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0x",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01",
    ],
)
def test_what_is_no_traceparent_begins_a_trace(given: str):
    trace = tracing.begin("", given)
    assert (trace.parent_id, trace.flags) == ("", "01")
    assert trace.trace_id not in (TRACE, "0" * 32)


def test_what_is_asked_of_others_goes_on_under_the_same_ids():
    assert tracing.headers() == {}
    trace = tracing.begin("mine", f"00-{TRACE}-{SPAN}-01")
    assert tracing.headers() == {"X-Request-ID": "mine", "traceparent": f"00-{TRACE}-{trace.span_id}-01"}
    tracing.end()
    assert tracing.headers() == {}


def test_background_work_has_ids_of_its_own():
    with tracing.background():
        first = tracing.current()
        assert first
    assert tracing.current() is None
    with tracing.background():
        assert (other := tracing.current()) and other.request_id != first.request_id


def test_a_batch_is_named_without_oneself_and_without_what_is_no_id():
    tracing.note_batch(["nobody's"])
    assert tracing.batch_header() == {}
    tracing.begin("mine")
    assert tracing.batch_header() == {}
    tracing.note_batch(["mine", "a", "", "no id", "b"])
    assert tracing.batch_header() == {"Batch-Request-IDs": "a,b"}


def test_the_batch_of_a_header_has_a_bound():
    tracing.begin("mine")
    tracing.note_batch(f"{number:064}" for number in range(1000))
    names = tracing.batch_header()["Batch-Request-IDs"].split(",")
    assert 100 < len(names) < 126
    assert {len(name) for name in names} == {64}


def test_a_hop_has_a_span_of_its_own_for_who_is_told_of_it(monkeypatch: pytest.MonkeyPatch):
    seen: list[tracing.Hop] = []
    monkeypatch.setattr(tracing, "hop_observers", [seen.append])
    trace = tracing.begin("mine")
    with wrong_peer(answering(404)) as other, Peer(other.url).request("GET", "/log?contains=secret", timeout=5):
        assert not seen
    (hop,) = seen
    assert f"traceparent: 00-{trace.trace_id}-{hop.span_id}-01\r\n".encode() in other.requests[0]
    assert (hop.trace, hop.method, hop.url, hop.path, hop.status) == (trace, "GET", other.url, "/log", 404)
    assert hop.span_id != trace.span_id


def test_a_hop_that_fails_is_told_of_too(monkeypatch: pytest.MonkeyPatch):
    seen: list[tracing.Hop] = []
    monkeypatch.setattr(tracing, "hop_observers", [seen.append])
    tracing.begin()
    with wrong_peer(hanging_up) as other, pytest.raises(PeerError), Peer(other.url).request("GET", "/", timeout=5):
        pass
    assert [hop.status for hop in seen] == [0]


def test_a_hop_that_nobody_is_told_of_is_none():
    tracing.begin()
    assert tracing.hop("GET", "http://other", "/log") is None
