"""`GET /log` and `POST /log`."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from logs import pages, readiness, writer
from logs.models import Edition
from logs.parsers import PARSERS, check_length
from logs.serializers import records_from_json, records_from_text
from logs.writer import Post
from statuslog.record import RecordError, parse_timestamp
from statuslog.rest import TEXT, View, wants_json


class NoRoom(APIException):
    status_code = status.HTTP_507_INSUFFICIENT_STORAGE
    default_detail = "too little free disk (MIN_FREE_BYTES); nothing was stored"


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT


class Fenced(APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED


class Busy(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "the log is being written to for too long; nothing was stored"
    wait = 1  # seconds; DRF sends it as Retry-After


NDJSON = "application/x-ndjson"
# A service's batch carries the time of its first record; an empty list makes the time a fence: logs/writer.py.
FENCE = "Log-Fence"


class LogView(View):
    """The log: read it, append to it."""

    parser_classes = PARSERS

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        # The forms of the log are more than those of the other answers: GET sees to its own.
        return super().perform_content_negotiation(request, force=request.method in ("GET", "HEAD"))

    def get(self, request: Request) -> StreamingHttpResponse:
        try:
            form, content_type = _form(request)
            chunks = pages.stream(form, **_window(request))
        except RecordError as error:
            raise ValidationError(str(error)) from error
        return StreamingHttpResponse(() if request.method == "HEAD" else chunks, content_type=content_type)

    def post(self, request: Request) -> Response:
        check_length(request)
        if not readiness.has_room():
            raise NoRoom
        try:
            post = _post_of(request)
            new = writer.store(post)
        except RecordError as error:
            raise ValidationError(str(error)) from error
        except writer.Conflict as error:
            raise Conflict(str(error)) from error
        except writer.Fenced as error:
            raise Fenced(str(error)) from error
        except writer.Busy as error:
            raise Busy from error
        return _stored(request, len(post.records), new)


@require_safe
def edition(request: HttpRequest) -> JsonResponse:
    """Asked by the services, which write vstorage anew when it is another one."""
    return JsonResponse({"edition": Edition.current()})


def _post_of(request: Request) -> Post:
    """What the request wants stored; raises RecordError."""
    data = request.data
    if isinstance(data, bytes):
        key = _idempotency_key(request)
        records = records_from_text(data, datetime.now(UTC), key)
        # The same key with fewer lines would look like a repetition: the line after the last must be unknown too.
        return Post(records, by_line=True, unused=[uuid5(key, str(len(records) + 1))] if key else [])
    value = request.headers.get(FENCE)
    if value is None:
        return Post(records_from_json(data))
    fence = parse_timestamp(value, FENCE)
    return Post([] if data == [] else records_from_json(data), fence=fence)


def _form(request: Request) -> tuple[pages.Form, str]:
    """The form of the log that is asked for, and its media type; raises RecordError."""
    match request.query_params.get("format") or "text":
        case "text":
            return pages.as_text, TEXT
        case "ndjson":
            return pages.as_ndjson, NDJSON
    raise RecordError("unknown format: use ?format=text or ?format=ndjson")


def _window(request: Request) -> dict[str, Any]:
    """The part of the log that is asked for; raises RecordError."""
    window: dict[str, Any] = {}
    for name in ("since", "until"):
        if name in request.query_params:
            window[name] = parse_timestamp(request.query_params[name], name)
    if limit := request.query_params.get("limit"):
        if not (limit.isascii() and limit.isdigit()):
            raise RecordError("limit: must be a whole number, 0 or more")
        window["limit"] = int(limit)
    return window


def _idempotency_key(request: Request) -> UUID | None:
    value = request.headers.get("Idempotency-Key")
    try:
        return None if value is None else UUID(value)
    except ValueError:
        raise RecordError(f"Idempotency-Key: {value!r} is not a UUID") from None


def _stored(request: Request, sent: int, new: int) -> Response:
    code = status.HTTP_201_CREATED if new else status.HTTP_200_OK
    counts = {"stored": new, "known": sent - new}
    text = f"stored {new}, known already {sent - new}\n"
    return Response(counts if wants_json(request) else text, status=code)
