"""`GET /log` and `POST /log`."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from django.http import HttpResponse, HttpResponseNotModified, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from logs import following, overview, pages, readiness, writer
from logs.ahead import Early, check_times
from logs.changing import under_way
from logs.following import Following
from logs.forms import CSV_FORM, FORMS, JSON_FORM, Form, as_page
from logs.models import Edition
from logs.parsers import PARSERS, Lines, check_length
from logs.query import Query, parse
from logs.serializers import records_from_json, records_from_lines, records_from_text
from logs.writer import Post
from statuslog import tracing
from statuslog.compression import compressed
from statuslog.record import RecordError, parse_timestamp, show_timestamp
from statuslog.rest import SILENCE, JSONView, PlainTextRenderer, View, preferred_type, prefers_json, wants_json
from statuslog.streams import TooMany
from statuslog.verdict import CHALLENGE, Verdict


class NoRoom(APIException):
    status_code = status.HTTP_507_INSUFFICIENT_STORAGE
    default_detail = "too little free disk (MIN_FREE_BYTES); nothing was stored"


class Refused(ValidationError):
    """400: what was posted is wrong, and nothing of it was stored."""

    verdict = Verdict.REFUSED


class TooEarly(ValidationError):
    """400: the time of a record has not come yet, and nothing was stored."""

    verdict = Verdict.EARLY


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT
    verdict = Verdict.REFUSED


class Fenced(APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED
    verdict = Verdict.FENCED


class Busy(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "the log is being written to for too long; nothing was stored"
    wait = 1  # seconds; DRF sends it as Retry-After


class Away(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "the database is away; a record that has an id can be sent again without harm"
    wait = 1


class Crowded(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    wait = 5


# A service's batch carries the time of its first record; an empty list makes the time a fence: logs/writer.py.
FENCE = "Log-Fence"

SEARCH_SILENCE = 30  # seconds, in which millions of records are looked through
USUAL_PAGE, LARGEST_PAGE = 100, 1000  # records of a JSON page


class LogView(View):
    """The log: read it, append to it."""

    parser_classes = PARSERS

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        if request.method not in ("GET", "HEAD"):
            return super().perform_content_negotiation(request, force)
        # The log has more forms than other answers, and GET sees to them; its errors have the usual two.
        renderer = JSONRenderer() if prefers_json(request._request) else PlainTextRenderer()
        return renderer, renderer.media_type

    def get(self, request: Request) -> HttpResponseBase:
        try:
            query = parse(request.query_params)
            if query.follow:
                return _following(request, query)
            form = _form(request, query)
            size = _page_size(query) if form is JSON_FORM else 0
        except RecordError as error:
            raise ValidationError(str(error)) from error
        state = pages.state()
        if state.begins:
            query = replace(query, since=max(state.begins, query.since or state.begins))
        newest = query.cursor.newest if query.cursor else state.newest  # the same for all pages
        response: HttpResponseBase
        tag = f'W/"{state.tag}-{form.name}"'
        if not query.moving and _has_it(request, tag):
            response = HttpResponseNotModified()
        elif request.method == "HEAD":
            response = StreamingHttpResponse((), content_type=form.content_type)  # of a length that nobody knows
        elif form is JSON_FORM:
            response = _page(request, query, newest, size)
        else:
            parts = pages.unhurried(pages.stream(query, form, newest))
            response = StreamingHttpResponse(parts, content_type=form.content_type)
        return _described(response, request, query, form, tag)

    def post(self, request: Request) -> Response:
        tracing.note_batch(request.headers.get(tracing.BATCH, "").split(","))
        check_length(request)
        if not readiness.has_room():
            raise NoRoom
        try:
            post = _post_of(request)
            new = writer.store(post)
        except Early as error:
            raise TooEarly(str(error)) from error
        except RecordError as error:
            raise Refused(str(error)) from error
        except writer.Conflict as error:
            raise Conflict(str(error)) from error
        except writer.Fenced as error:
            raise Fenced(str(error)) from error
        except writer.Busy as error:
            raise Busy from error
        except writer.Full as error:
            raise NoRoom("the database's disk is full; nothing was stored") from error
        except writer.Away as error:
            raise Away(readiness.why_not()) from error
        return _stored(request, len(post.records), new)

    def handle_exception(self, exc: Exception) -> Response:
        response: Response = super().handle_exception(exc)
        response.verdict = getattr(exc, "verdict", Verdict.ANSWERED)  # type: ignore[attr-defined]
        return response


class EditionView(JSONView):
    """Asked by the services, which write vstorage anew when it is another one."""

    def get(self, request: Request) -> Response:
        changing = under_way()  # before the edition, which the command may begin as its last act
        return Response({"edition": Edition.current(), **({"changing": changing} if changing else {})})


class OverviewView(JSONView):
    """Asked by service1 for its page: all that storage has to say on it, but for the records, in one answer."""

    def get(self, request: Request) -> Response:
        report = readiness.report()
        away = readiness.UNREADABLE & set(report["reasons"])
        try:
            services = [] if away else overview.overview(request.query_params, datetime.now(UTC))
        except RecordError as error:
            raise ValidationError(str(error)) from error
        ends = overview.NO_ENDS if away else overview.ends()
        return Response({"readiness": report, "data_disk": readiness.data_disk(), "ends": ends, "services": services})


def _post_of(request: Request) -> Post:
    """What the request wants stored; raises RecordError."""
    data = request.data
    key, fence = _idempotency_key(request), _fence(request)  # a wrong header is an error, also where it says nothing
    if isinstance(data, Lines) and not data.of_records:
        records = records_from_text(data.lines, datetime.now(UTC), key)
        # The same key with fewer lines would look like a repetition: the line after the last must be unknown too.
        unused = [uuid5(key, str(len(records) + 1))] if key else []
        return Post(records, by_line=True, unused=unused, fence=fence)
    place = "record" if isinstance(data, list) else ""
    if isinstance(data, Lines):
        records, place = records_from_lines(data.lines), "line"
    elif data == [] and fence:
        records = []
    else:
        records = records_from_json(data)
    check_times(records, place, of_a_service=CHALLENGE in request.headers)
    return Post(records, fence=fence)


def _form(request: Request, query: Query) -> Form:
    """The form that is asked for; text for who would like something else best."""
    if query.format is not None:
        return FORMS[query.format]
    by_type = {form.media_type: form for form in FORMS.values()}
    return by_type[preferred_type(request._request, tuple(by_type))]


def _following(request: Request, query: Query) -> HttpResponseBase:
    """The answer to a follower; raises RecordError."""
    state = pages.state()
    query = replace(query, since=state.begins)
    by_type = {form.media_type: name for name, (form, _) in following.FORMS.items()}
    name = query.format or by_type[preferred_type(request._request, tuple(by_type))]
    if name not in following.FORMS:
        raise RecordError(
            "format: must be one of text, ndjson with follow=1; Accept: text/event-stream asks for events"
        )
    if query.tail is not None and query.tail > LARGEST_PAGE:
        raise RecordError(f"tail: must be 0 to {LARGEST_PAGE:,} with follow=1")
    form, heartbeat = following.FORMS[name]
    body: Any = ()
    if request.method != "HEAD":
        try:
            body = Following(query, form, heartbeat, _last_event(request), request.META.get("gunicorn.socket"))
        except TooMany as error:
            raise Crowded(str(error)) from error
    headers = {"Cache-Control": "no-store", SILENCE: str(following.HEARTBEAT)}
    response = StreamingHttpResponse(body, content_type=form.content_type, headers=headers)
    patch_vary_headers(response, ["Accept"])
    return response


def _last_event(request: Request) -> int | None:
    """The row of the record that a follower has seen last; raises RecordError."""
    value = request.headers.get("Last-Event-ID") or None
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise RecordError(f"Last-Event-ID: {value[:40]!r} is not the id of an event")
    return int(value)


def _page_size(query: Query) -> int:
    """How many records a JSON page has; raises RecordError."""
    given = [(name, value) for name in ("limit", "tail") if (value := getattr(query, name)) is not None]
    for name, value in given:
        if not 1 <= value <= LARGEST_PAGE:
            raise RecordError(f"{name}: must be 1 to {LARGEST_PAGE:,} with format=json; format=ndjson has no end")
    return given[0][1] if given else USUAL_PAGE


def _page(request: Request, query: Query, newest: int, size: int) -> HttpResponse:
    """One page of records as JSON. `next` is the address of the one behind it, or null when there is none."""
    rows, place = pages.page(query, JSON_FORM.columns, newest, size)
    following = None
    if place is not None and query.tail is None:
        values = request.query_params.copy()
        values["format"], values["cursor"] = JSON_FORM.name, str(place)
        for name in ("since", "until"):
            if name in values:  # "15m" means another time a moment later
                values[name] = show_timestamp(getattr(query, name))
        following = f"{request.path}?{values.urlencode()}"
    return HttpResponse(as_page(rows, following), content_type=JSON_FORM.content_type)


def _has_it(request: Request, tag: str) -> bool:
    """Whether the client has this answer already: `If-None-Match`, by the weak comparison (RFC 9110, 13.1.2)."""
    known = parse_etags(request.headers.get("If-None-Match", ""))
    return bool(known) and (known[0] == "*" or tag in known)


def _described(response: HttpResponseBase, request: Request, query: Query, form: Form, tag: str) -> HttpResponseBase:
    """The answer with what caches and clients are to know of it, and compressed if the client likes that."""
    patch_vary_headers(response, ["Accept", "Accept-Encoding"])
    if not query.moving:
        response["ETag"] = tag
        response["Cache-Control"] = "no-cache"  # keep it, and ask each time whether it is still so
    if form is CSV_FORM:
        response["Content-Disposition"] = 'attachment; filename="log.csv"'
    if query.contains:
        response[SILENCE] = str(SEARCH_SILENCE)
    if request.method == "HEAD" or response.status_code == status.HTTP_304_NOT_MODIFIED:
        return response
    return compressed(request._request, response)


def _idempotency_key(request: Request) -> UUID | None:
    value = request.headers.get("Idempotency-Key")
    try:
        return None if value is None else UUID(_unquoted(value))
    except ValueError:
        raise RecordError(f"Idempotency-Key: {value!r} is not a UUID") from None


def _unquoted(value: str) -> str:
    """The text of a string of RFC 9651, as the IETF draft of the header has it; another value as it is."""
    found = re.fullmatch(r'\s*"([^"]*)"\s*(;.*)?', value)
    return found[1] if found else value


def _fence(request: Request) -> datetime | None:
    value = request.headers.get(FENCE)
    return None if value is None else parse_timestamp(value, FENCE)


def _stored(request: Request, sent: int, new: int) -> Response:
    code = status.HTTP_201_CREATED if new else status.HTTP_200_OK
    counts = {"stored": new, "known": sent - new}
    text = f"stored {new}, known already {sent - new}\n"
    response = Response(counts if wants_json(request) else text, status=code)
    response.verdict = Verdict.STORED  # type: ignore[attr-defined]
    return response
