"""`GET /status` and `GET /log`."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from socket import socket

import requests
from django.conf import settings
from django.http import HttpResponseBase, StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from service1.service2_client import Service2Client, Service2Error
from statuslog.outbox.recording import recorder_from_environment
from statuslog.peer import PeerError, PeerTimeout, hang_up, stream
from statuslog.record import Record
from statuslog.recorder import Kept, NotKept
from statuslog.rest import SILENCE, OneFormView, Unavailable, View, wants_json
from statuslog.streams import TooMany, streams

# Seconds for a whole /status; of the contract's 3 s the rest is for a thread to wake up in, on a machine that is busy,
# and for the way to the client.
ANSWER_WITHIN = 2.6
LOG_TIMEOUT = 2.5  # seconds until storage begins to answer, and between any two parts of its answer

# What storage needs to know of the request, and the client of the answer; the connection's own headers stay behind.
ASKED_WITH = ("Accept", "Accept-Encoding", "If-None-Match", "Last-Event-ID")
LOG_HEADERS = (
    *("Content-Type", "Content-Length", "Content-Encoding", "Content-Disposition"),
    *("Cache-Control", "ETag", "Vary", "Retry-After"),
)

own, delivery = recorder_from_environment(settings.SERVICE)
service2 = Service2Client(settings.SERVICE2_URL)


def companions(count: int, begun: float) -> Sequence[Record | Service2Error | None]:
    """A record of service2, or why there is none, for each of so many records of ours: asked for in one request.

    None where service2 gave fewer; a service2 of an older version knows nothing of a count.
    """
    try:
        found = service2.records(count, ANSWER_WITHIN - (time.monotonic() - begun))
    except Service2Error as error:
        return [error] * count
    return [*found, *[None] * (count - len(found))]


def _companion_of(kept: Kept, begun: float) -> Record | Service2Error:
    if kept.companion is not None:
        found: Record | Service2Error = kept.companion
        return found
    try:
        return service2.records(1, ANSWER_WITHIN - (time.monotonic() - begun))[0]
    except Service2Error as error:
        return error


own.then = companions


class StatusView(View):
    """A record of service1, kept, and one of service2."""

    def get(self, request: Request) -> Response:
        begun = time.monotonic()
        try:
            kept = own.keep()
        except NotKept as error:
            raise Unavailable(f"service1: {error}") from error
        other = _companion_of(kept, begun)
        lines, records, errors, code = [kept.record.line], [kept.record.to_json()], [], 200
        if isinstance(other, Record):
            lines.append(other.line)
            records.append(other.to_json())
        else:
            lines.append(f"service2: unavailable ({other})")
            errors.append({"service": "service2", "reason": str(other)})
            code = 504 if other.timed_out else 502
        body = {"records": records, "errors": errors} if wants_json(request) else "".join(f"{s}\n" for s in lines)
        return Response(body, status=code, headers={"Record-Delivery": kept.delivery})


class LogView(OneFormView):
    """storage's answer to the same question, streamed through; the choice of its form is storage's."""

    def get(self, request: Request) -> HttpResponseBase:
        headers = {name: request.headers[name] for name in ASKED_WITH if name in request.headers}
        stack = ExitStack()
        try:
            answer = stack.enter_context(
                own.storage.log(request.method or "GET", request.META["QUERY_STRING"], headers, LOG_TIMEOUT)
            )
        except PeerError as error:
            code = 504 if isinstance(error, PeerTimeout) else 502
            raise Unavailable(f"storage: unavailable ({error})", code) from error
        try:
            body = _Body(answer, stack, request.META.get("gunicorn.socket"))
        except TooMany as error:
            stack.close()
            raise Unavailable(str(error)) from error
        response = StreamingHttpResponse(body, status=answer.status_code)
        for name in LOG_HEADERS:
            del response[name]  # Django's own: a 304, say, has no type
            if name in answer.headers:
                response[name] = answer.headers[name]
        if SILENCE in answer.headers:
            response["X-Accel-Buffering"] = "no"  # nginx would keep the parts back until there are many
        return response


class _Body:
    """The parts of an answer on their way through; closing it, read or not, frees the connection to storage.

    One that storage may be silent in (a follower's, a long search) can take long, and is ended when its client has
    gone or the process is to stop; raises TooMany.
    """

    def __init__(self, answer: requests.Response, stack: ExitStack, client: socket | None) -> None:
        silence = answer.headers.get(SILENCE, "")
        self._answer = answer
        self._chunks = stream(answer, LOG_TIMEOUT + (int(silence) if silence.isdigit() else 0))
        self._ended = False
        if silence:
            stack.callback(streams.remove, streams.add(self._end, client))  # removed before the connection is free
        self.close = stack.close

    def _end(self) -> None:
        self._ended = True
        hang_up(self._answer)

    def __iter__(self) -> Iterator[bytes]:
        yield b""  # the answer's head does not wait for what may come late
        try:
            yield from self._chunks
        except Exception:
            if not self._ended:
                raise
