"""What the operations are put together from: JSON Schemas of what is sent, and the forms of an answer."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, get_type_hints
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from logs import overview, thinning
from statuslog.record import FIELDS, FORBIDDEN_CHARACTERS, LINE_PATTERN, MAX_LINE_LENGTH, MEASURED, REQUIRED, Record
from statuslog.recorder import LARGEST_BATCH
from statuslog.rest import JSON, PROBLEM

TEXT = "text/plain"
NDJSON = "application/x-ndjson"
CSV = "text/csv"

Schema = dict[str, Any]
# What an operation answers: by status, and by the media type of one of its forms.
Answers = dict[Any, OpenApiResponse]

# Spaces of any kind, something that is none, and the rest: a line that is not blank.
_LINE = rf"[^{FORBIDDEN_CHARACTERS}\S]*[^{FORBIDDEN_CHARACTERS}\s][^{FORBIDDEN_CHARACTERS}]*"
_STATUS_LINE = LINE_PATTERN.pattern.replace("?P<", "?<")

_RECORD_LINE = (
    r'\{"id": "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "service": "[a-z0-9]{0,9}", '
    r'"timestamp": "20[0-9]{2}-0[1-9]-[12][0-8]T[01][0-9]:[0-5][0-9]:[0-5][0-9]Z", "line": "[a-z0-9:.,]{1,99}"\}'
)

LINE = "2025-09-26T16:45:06Z: uptime 8.907 hours, free disk in root: 36207.74 MBytes"
RECORD = {
    "id": "01a20758-7c81-7e5d-8575-34c7a7755356",
    "service": "service1",
    "instance": "5f3a1c9b7d2e",
    "timestamp": "2025-09-26T16:45:06.123456Z",
    "host_uptime_seconds": 32065.2,
    "container_uptime_seconds": 3600.0,
    "disk_free_bytes": 37966567375,
    "disk_total_bytes": 105089261568,
    "line": LINE,
}

# How JSON carries what a field of the record holds. A new kind of value needs a line here.
_VALUES: dict[Any, Schema] = {
    UUID: {"type": "string", "format": "uuid"},
    datetime: {"type": "string", "format": "date-time"},
    str: {"type": "string", "maxLength": 255, "pattern": f"^[^{FORBIDDEN_CHARACTERS}]*$"},
    float | None: {"type": ["number", "null"], "minimum": 0, "exclusiveMaximum": 2**53},
    int | None: {"type": ["integer", "null"], "minimum": 0, "maximum": 2**63 - 1},
}


def _values() -> dict[str, Schema]:
    hints = get_type_hints(Record)
    return {name: _VALUES[hints[name]] for name in FIELDS}


def _record() -> Schema:
    values = _values()
    values["line"] = {"type": "string", "minLength": 1, "maxLength": MAX_LINE_LENGTH, "pattern": f"^{_LINE}$"}
    return _object(values, required=REQUIRED, example=RECORD, description="A status record; null was not measured.")


def _object(values: Mapping[str, Schema], required: tuple[str, ...] | None = None, **more: Any) -> Schema:
    names = list(values) if required is None else list(required)
    return {"type": "object", "properties": dict(values), "required": names, "additionalProperties": False, **more}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


_COUNT = {"type": "integer", "minimum": 0}
_SENTENCE = {"type": "string", "minLength": 1}

SCHEMAS: dict[str, Schema] = {
    "Record": _record(),
    "Lines": {
        "type": "string",
        "description": f"One record a line, in UTF-8, of at most {MAX_LINE_LENGTH} characters each. "
        "A byte order mark at the beginning and the CR of a CRLF are no part of a line.",
        "pattern": f"^({_LINE}\\r?\\n)*{_LINE}(\\r?\\n)?$",
    },
    "RecordLines": {
        "type": "string",
        "description": "One Record as JSON a line, with its fields in any order; the pattern shows the least.",
        "pattern": f"^({_RECORD_LINE}\\n)+$",
        "example": json.dumps(RECORD) + "\n",
    },
    "Status": _object(
        {
            "records": array(ref("Record"), minItems=1, maxItems=2),
            "errors": array(_object({"service": _SENTENCE, "reason": _SENTENCE}), maxItems=1),
        }
    ),
    "Kept": _object(
        {"records": array(ref("Record"), minItems=1, maxItems=LARGEST_BATCH), "errors": array({}, maxItems=0)}
    ),
    "KeptLines": {"type": "string", "pattern": f"^({_STATUS_LINE}\\n)+$"},
    "StatusLines": {"type": "string", "pattern": f"^({_STATUS_LINE}\\n){{1,2}}$"},
    "Page": _object(
        {
            "records": array(ref("Record")),
            "next": {"type": ["string", "null"], "description": "The address of the next page; null behind the last."},
        }
    ),
    "Stored": _object({"stored": _COUNT, "known": _COUNT}),
    "Edition": _object({"edition": _COUNT, "changing": _SENTENCE}, required=("edition",)),
    "Alive": _object({"alive": {"const": True}}),
    "Readiness": {
        "type": "object",
        "properties": {
            "ready": {"type": "boolean"},
            "reasons": array(_SENTENCE, description="What keeps the service from its work; empty when it is ready."),
            "measured": ref("Measurement"),
        },
        "required": ["ready", "reasons"],
        "example": {"ready": True, "reasons": [], "measured": {name: RECORD.get(name) for name in MEASURED}},
    },
    "Measurement": _object({name: _values()[name] for name in MEASURED}, description="What the service measures now."),
    "Overview": _object(
        {
            "readiness": ref("Readiness"),
            "data_disk": {
                "description": "The data's disk; null if it cannot be told, or is PostgreSQL's.",
                "anyOf": [
                    _object({name: _values()[name] for name in ("disk_free_bytes", "disk_total_bytes")}),
                    {"type": "null"},
                ],
            },
            "ends": _object(
                {
                    "edition": {"type": "integer", "minimum": 0},
                    **{
                        end: array({"type": "string"}, maxItems=overview.ENDS, description=f"The log's {end} lines.")
                        for end in ("first", "last")
                    },
                },
            ),
            "services": array(
                _object(
                    {
                        "service": _values()["service"],
                        "latest": ref("Record"),
                        "series": array(
                            ref("Point"),
                            description="Of each step the lowest and the highest free disk, and the last record.",
                        ),
                    }
                ),
                maxItems=overview.SHOWN,
            ),
        }
    ),
    "Point": _object({name: _values()[name] for name in ("timestamp", *thinning.DRAWN)}),
    "Problem": _object(
        {
            "type": {"const": "about:blank"},
            "title": _SENTENCE,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string", "description": "What is wrong, and what to do: the line of the text form."},
        },
        description="RFC 9457, https://www.rfc-editor.org/rfc/rfc9457",
    ),
}

# Both are optional: whether a token is needed is what the installation is set to.
TOKENS: dict[str, Schema] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token of API_TOKENS, if that is set."},
    "basic": {"type": "http", "scheme": "basic", "description": "The same, as the password of any user name."},
}


def answer(code: int, description: str, **forms: Schema) -> Answers:
    """An answer in its forms, such as `text=…, json=…`."""
    types = {"text": TEXT, "json": JSON, "ndjson": NDJSON, "csv": CSV, "problem": PROBLEM}
    return {(code, types[form]): OpenApiResponse(schema, description) for form, schema in forms.items()}


def errors(*, with_text: bool = True, **descriptions: str) -> Answers:
    """An error for each `_400="why"`: a line of text or a problem."""
    found: Answers = {}
    for name, description in descriptions.items():
        text = {"text": {"type": "string", "pattern": "\\n$"}} if with_text else {}
        found |= answer(int(name.removeprefix("_")), description, **text, problem=ref("Problem"))
    return found


def response_header(name: str, schema: Schema, description: str, *codes: int) -> OpenApiParameter:
    return OpenApiParameter(name, schema, OpenApiParameter.HEADER, description=description, response=list(codes))
