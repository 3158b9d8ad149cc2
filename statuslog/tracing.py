"""Which request a thread works for: its id, and its place in a trace that others may have begun.

Both come with the request and go on with each question that is put to another service, so that one request can be
followed through all logs. What comes is used only if it has exactly the form that it must have:
https://www.w3.org/TR/trace-context/
"""

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

REQUEST_ID = "X-Request-ID"
TRACEPARENT = "traceparent"
# Whose records a POST brings, too: who leads a batch (batching.py) posts it under its own id.
BATCH = "Batch-Request-IDs"
# Paths that programs ask for every few seconds: of use only to who looks for them.
QUIET = {"/healthz", "/readyz", "/metrics", "/edition"}
LONGEST_BATCH = 8000  # characters; gunicorn takes 8,190 as one header

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Later versions than 00 may have more behind the flags, and ff is none.
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@dataclass(slots=True)
class Trace:
    """One request of this service, or one piece of its background work."""

    request_id: str
    trace_id: str  # 32 hexadecimal digits
    span_id: str  # 16: this service's part of the trace
    parent_id: str  # the caller's part, or empty
    flags: str  # two digits; of the bits only "sampled" is known
    batch: Sequence[str] = ()  # other requests whose records come with this one's


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)
current = _current.get


def begin(request_id: str = "", traceparent: str = "") -> Trace:
    """From now on this thread works for the request with these headers; new ids for those that are absent or wrong."""
    given = _parent(traceparent)
    trace_id, parent_id, flags = given or (_new_id(16), "", "01")
    if not _REQUEST_ID.fullmatch(request_id):
        request_id = _new_id(16)
    trace = Trace(request_id, trace_id, _new_id(8), parent_id, flags)
    _current.set(trace)
    return trace


def end() -> None:
    """This thread works for nobody."""
    _current.set(None)


@contextmanager
def background() -> Iterator[None]:
    """Work that no request waits for, under ids of its own."""
    begin()
    try:
        yield
    finally:
        end()


@dataclass(slots=True)
class Hop:
    """One question to another service, as the one sees it who asks: until all of the answer that is wanted is read."""

    trace: Trace
    span_id: str
    method: str
    url: str
    path: str  # without a query
    begun: int  # nanoseconds
    status: int = 0  # none


hop_observers: list[Callable[[Hop], None]] = []


def hop(method: str, url: str, path: str) -> Hop | None:
    """A question of the request of this thread, to be ended by `hop_is_over`; None if nobody wants to know of it."""
    trace = current()
    if not hop_observers or trace is None:
        return None
    return Hop(trace, _new_id(8), method, url, path.partition("?")[0], time.time_ns())


def hop_is_over(hop: Hop) -> None:
    for observe in hop_observers:
        observe(hop)


def headers(hop: Hop | None = None) -> dict[str, str]:
    """What a question to another service goes on with: under a span of its own, if somebody is told of that."""
    trace = current()
    if trace is None:
        return {}
    span_id = hop.span_id if hop else trace.span_id
    return {REQUEST_ID: trace.request_id, TRACEPARENT: f"00-{trace.trace_id}-{span_id}-{trace.flags}"}


def note_batch(request_ids: Iterable[str]) -> None:
    """With the request of this thread come the records of these."""
    if trace := current():
        trace.batch = [name for name in request_ids if name != trace.request_id and _REQUEST_ID.fullmatch(name)]


def batch_header() -> dict[str, str]:
    """The header that names those whose records come with ours; as many as it can hold."""
    trace = current()
    if not (trace and trace.batch):
        return {}
    names = ",".join(trace.batch)
    if len(names) > LONGEST_BATCH:
        names = names[: names.rindex(",", 0, LONGEST_BATCH)]
    return {BATCH: names}


def _parent(header: str) -> tuple[str, str, str] | None:
    """Trace, caller's span and flags; None for what is no traceparent."""
    found = _TRACEPARENT.fullmatch(header)
    if found is None:
        return None
    version, trace_id, parent_id, flags, more = found.groups()
    if (version == "00" and more) or not trace_id.strip("0") or not parent_id.strip("0"):
        return None
    return trace_id, parent_id, f"{int(flags, 16) & 1:02x}"


def _new_id(size: int) -> str:
    """So many bytes as hexadecimal digits. All zeros means no id; it will not come in the life of the universe."""
    return f"{random.getrandbits(8 * size):0{2 * size}x}"
