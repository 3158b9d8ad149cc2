"""What each operation takes and answers; importing this describes the views to drf-spectacular."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view

import logs.views
import service1.docs_page
import service1.page.files
import service1.page.view
import service1.views
import service2.views
from logs import overview
from logs.query import PARAMETERS, Parameter
from openapi.parts import LINE, NDJSON, Answers, answer, array, errors, ref, response_header
from statuslog import exposition, health, schema
from statuslog.recorder import LARGEST_BATCH

FORMAT = OpenApiParameter("format", str, enum=["text", "json"], description="The form, whatever `Accept` says.")
NO_FORMAT = errors(_400="An unknown `format`.", _406="`Accept` allows neither text nor JSON.")
NO_TOKEN = errors(_401="API_TOKENS is set, and the request has none of them.")
OTHER_ORIGIN = "A web page of another origin has sent the request"
MAY_NOT_ASK = errors(_403=f"{OTHER_ORIGIN}.")
MAY_NOT_WRITE = errors(_403=f"{OTHER_ORIGIN}; or API_TOKENS is set, and this token may only read.")
DELIVERY = "What became of the own record: in storage or in the outbox, and in vstorage."
DELIVERY_PATTERN = "^storage=(stored|queued), vstorage=(written|failed)$"
STATUS = {"text": ref("StatusLines"), "json": ref("Status")}
PARTIAL = {"text": {"type": "string", "pattern": "\\n.*service2: unavailable \\(.*\\)\\n$"}, "json": ref("Status")}


def delivery(*codes: int) -> OpenApiParameter:
    return response_header("Record-Delivery", {"type": "string", "pattern": DELIVERY_PATTERN}, DELIVERY, *codes)


NOT_KEPT = "Neither storage nor the outbox could keep the record: nothing was recorded."

extend_schema_view(
    get=extend_schema(
        operation_id="status",
        summary="Make a record of each service, keep it, and show it",
        description="Two lines: service1's record and service2's. It takes 3 s at most.",
        tags=["status"],
        parameters=[FORMAT, delivery(200, 502, 504)],
        responses={
            **answer(200, "Both records.", **STATUS),
            **NO_FORMAT,
            **NO_TOKEN,
            **MAY_NOT_WRITE,
            **answer(502, "service1's record, kept as ever, and why there is none of service2.", **PARTIAL),
            **errors(_503=NOT_KEPT),
            **answer(504, "service1's record, kept as ever; service2 was too slow.", **PARTIAL),
        },
    )
)(service1.views.StatusView)

extend_schema_view(
    get=extend_schema(
        operation_id="status",
        summary="Make a record of service2, keep it, and show it",
        description="With `count` so many records, which are kept together. service1 asks so for the requests that it "
        "has recorded together.",
        tags=["status"],
        parameters=[
            FORMAT,
            OpenApiParameter(
                "count",
                {"type": "integer", "minimum": 1, "maximum": LARGEST_BATCH, "default": 1},
                description="How many records.",
            ),
            delivery(200),
        ],
        responses={
            **answer(200, "The record, or all of them.", text=ref("KeptLines"), json=ref("Kept")),
            **errors(_400="An unknown `format`, or a wrong `count`.", _406="`Accept` allows neither text nor JSON."),
            **NO_TOKEN,
            **MAY_NOT_WRITE,
            **errors(_503=NOT_KEPT),
        },
    )
)(service2.views.StatusView)


def described(parameters: Iterable[Parameter]) -> list[OpenApiParameter]:
    return [OpenApiParameter(known.name, dict(known.schema), description=known.description) for known in parameters]


READ = [
    *described(PARAMETERS),
    OpenApiParameter(
        "If-None-Match",
        {"type": "string"},
        OpenApiParameter.HEADER,
        description="The ETag of what is at hand already: answered with 304 while it is current.",
    ),
    OpenApiParameter(
        "Last-Event-ID",
        {"type": "string"},  # read only with `follow`, where another one than a number is refused
        OpenApiParameter.HEADER,
        description="With `follow`: go on behind the event of that id, a whole number.",
    ),
    response_header("ETag", {"type": "string"}, "For If-None-Match; none with a relative time.", 200, 304),
]


def read_log(more: Answers) -> Any:
    return extend_schema(
        operation_id="read_log",
        summary="Read the log",
        description="All of it as text, or the part and in the form that is asked for. `tail` goes without `limit`, "
        f"`order` and `cursor`; with JSON, `limit` and `tail` are 1 to {logs.views.LARGEST_PAGE}. `follow` goes with "
        "`service`, `instance`, `contains` and `tail`; its answer, also as `text/event-stream`, has no end.",
        tags=["log"],
        parameters=READ,
        responses={
            **answer(
                200,
                "The records in the order of time.",
                text={"type": "string", "example": f"{LINE}\n"},
                json=ref("Page"),
                ndjson={"type": "string", "description": "One Record as JSON a line."},
                csv={"type": "string", "description": "The names of Record's values in the first row."},
            ),
            304: OpenApiResponse(description="What the client has is current."),
            **NO_TOKEN,
            **errors(
                _400="A parameter is unknown or wrong; the text names it, and what is allowed.",
                _414="The address is longer than 8 KB.",
                _503="As many as MAX_FOLLOWERS follow the log already.",
            ),
            **more,
        },
    )


extend_schema_view(get=read_log(errors(_502="storage does not answer as it should.", _504="storage is too slow.")))(
    service1.views.LogView
)

RECORDS = {"oneOf": [ref("Record"), array(ref("Record"), minItems=1)]}
COUNTS = {"text": {"type": "string", "pattern": "^stored \\d+, known already \\d+\\n$"}, "json": ref("Stored")}
extend_schema_view(
    get=read_log(MAY_NOT_ASK),
    post=extend_schema(
        operation_id="append_to_log",
        summary="Append to the log",
        description="All records of the body are stored, or none. A record is known again by its id, a text by its "
        "Idempotency-Key: to send either again is harmless. `application/x-www-form-urlencoded`, as `curl -d` names "
        "its body, is taken as `text/plain`: the body as it is.",
        tags=["log"],
        parameters=[
            FORMAT,
            OpenApiParameter(
                "Idempotency-Key",
                OpenApiTypes.UUID,
                OpenApiParameter.HEADER,
                description="Makes a text safe to send again. Also in quotes.",
            ),
            OpenApiParameter(
                "Log-Fence",
                OpenApiTypes.DATETIME,
                OpenApiParameter.HEADER,
                description="Of the services' own batches: refused when a later fence was set. An empty list sets it.",
            ),
            response_header("Retry-After", {"type": "integer"}, "Seconds.", 503),
        ],
        request={
            "text/plain": ref("Lines"),
            NDJSON: ref("RecordLines"),
            "application/json": RECORDS,
        },
        responses={
            **answer(200, "All of it was known already.", **COUNTS),
            **answer(201, "Stored.", **COUNTS),
            **NO_TOKEN,
            **MAY_NOT_WRITE,
            **errors(
                _400="The body, a header or a parameter is wrong; the text says which line or field, and why.",
                _406="`Accept` allows neither text nor JSON.",
                _409="Another content is known under the id or the key.",
                _411="The body has no Content-Length.",
                _412="A later fence was set.",
                _413="The body is longer than MAX_BODY_BYTES.",
                _415="The body is of another media type.",
                _503="Others write for too long.",
                _507="Too little free disk (MIN_FREE_BYTES).",
            ),
        },
    ),
)(logs.views.LogView)

extend_schema_view(
    get=extend_schema(
        operation_id="edition",
        summary="How many times the past of the log was changed",
        description="Asked by the services, which write vstorage again when it is a later one. `changing` names the "
        "command that changes the log now, if there is one.",
        tags=["log"],
        responses={
            **answer(200, "The log's edition.", json=ref("Edition")),
            **NO_TOKEN,
            **MAY_NOT_ASK,
        },
    )
)(logs.views.EditionView)

extend_schema_view(
    get=extend_schema(
        operation_id="overview",
        summary="The log in short",
        description="Asked by service1 for its page: whether storage can do its work, the latest record of each of the "
        f"first {overview.SHOWN} services by name, and what they measured, thinned.",
        tags=["log"],
        parameters=described(overview.PARAMETERS),
        responses={
            **answer(200, "What there is to show.", json=ref("Overview")),
            **errors(_400="A parameter is unknown or wrong; the text names it, and what is allowed."),
            **NO_TOKEN,
            **MAY_NOT_ASK,
        },
    )
)(logs.views.OverviewView)

extend_schema_view(
    get=extend_schema(
        operation_id="healthz",
        summary="Whether the process lives",
        tags=["health"],
        parameters=[FORMAT],
        responses={
            **answer(200, "It does.", text={"const": "alive\n"}, json=ref("Alive")),
            **NO_FORMAT,
        },
    )
)(health.HealthView)
extend_schema_view(
    get=extend_schema(
        operation_id="readyz",
        summary="Whether the service can do its work now",
        tags=["health"],
        responses={
            **answer(200, "It can.", json=ref("Readiness")),
            **answer(503, "It cannot, and why.", json=ref("Readiness")),
        },
    )
)(health.ReadyView)

# The description of the API is no part of it, nor are pages, nor is what the operator reads.
for view in (
    schema.SchemaView,
    service1.docs_page.DocsView,
    service1.page.view.PageView,
    service1.page.files.PageFileView,
    exposition.MetricsView,
):
    extend_schema_view(get=extend_schema(exclude=True))(view)
