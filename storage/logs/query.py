"""What `GET /log` can be asked: one table of its parameters, from which the description of the API is made, too.

It must not know how the log is read (pages.py).
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self

from django.http import QueryDict

from logs.forms import FORMS
from statuslog import moments
from statuslog.record import EPOCH, FORBIDDEN, FORBIDDEN_CHARACTERS, MICROSECOND, RecordError

FORMATS = tuple(FORMS)
ORDERS = ("asc", "desc")
LONGEST_LABEL = 255
LONGEST_SEARCH = 255  # an address has room for it, also when each character takes twelve bytes there
LARGEST_NUMBER = 10**12  # more than a log can have, and less than a database's integer can hold


@dataclass(frozen=True, slots=True)
class Place:
    """Between two records of the log: behind the one with this key, of those that were there when reading began.

    As a text it is the cursor of a JSON page, which nobody but us is to take apart.
    """

    timestamp: datetime
    row: int
    newest: int  # the row of the last arrival when reading began

    def __str__(self) -> str:
        text = f"{(self.timestamp - EPOCH) // MICROSECOND} {self.row} {self.newest}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The place that `str` has shown; raises ValueError."""
        try:
            decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            microseconds, row, newest = map(int, decoded.split(b" "))
            place = cls(EPOCH + microseconds * MICROSECOND, row, newest)
        except (binascii.Error, OverflowError) as error:
            raise ValueError from error
        if str(place) != text or not (0 <= row < 2**63 and 0 <= newest < 2**63):
            raise ValueError
        return place


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """The part of the log that is asked for, and its form."""

    service: str | None = None
    instance: str | None = None
    since: datetime | None = None  # included
    until: datetime | None = None  # left out
    contains: str | None = None
    limit: int | None = None
    order: Literal["asc", "desc"] = "asc"
    tail: int | None = None
    cursor: Place | None = None
    format: str | None = None
    follow: bool = False
    moving: bool = False  # a time was given as so long ago: the same question means another part a moment later


def _text(longest: int, shortest: int = 0) -> Callable[[str], str]:
    def read(value: str) -> str:
        if not shortest <= len(value) <= longest or FORBIDDEN.search(value):
            raise ValueError
        return value

    return read


def _number(value: str) -> int:
    if not (value.isascii() and value.isdigit()) or int(value) > LARGEST_NUMBER:
        raise ValueError
    return int(value)


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in choices:
            raise ValueError
        return value

    return read


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: how its value is read, what is said of a wrong one, and how it is described."""

    name: str
    read: Callable[[str], Any]  # raises ValueError or OverflowError
    wanted: str  # what the value must be, as the end of "must be …"
    description: str
    schema: Mapping[str, Any]  # of the value, in JSON Schema


NUMBER = "a whole number, 0 or more"
LABEL = f"a text of at most {LONGEST_LABEL} characters without control characters"
TEXT_SCHEMA = {"type": "string", "pattern": f"^[^{FORBIDDEN_CHARACTERS}]*$"}
LABEL_SCHEMA = {**TEXT_SCHEMA, "maxLength": LONGEST_LABEL}
NUMBER_SCHEMA = {"type": "integer", "minimum": 0, "maximum": LARGEST_NUMBER}

PARAMETERS = (
    Parameter("service", _text(LONGEST_LABEL), LABEL, "Records of this service only.", LABEL_SCHEMA),
    Parameter("instance", _text(LONGEST_LABEL), LABEL, "Records of this instance (host name) only.", LABEL_SCHEMA),
    Parameter("since", moments.parse, moments.MOMENT, "Records of this time and later.", moments.SCHEMA),
    Parameter("until", moments.parse, moments.MOMENT, "Records before this time.", moments.SCHEMA),
    Parameter(
        "contains",
        _text(LONGEST_SEARCH, shortest=1),
        f"a text of 1 to {LONGEST_SEARCH} characters without control characters",
        "Records with this text in their line, upper and lower case told apart.",
        {**TEXT_SCHEMA, "minLength": 1, "maxLength": LONGEST_SEARCH},
    ),
    Parameter(
        "limit",
        _number,
        NUMBER,
        "So many records at the most; with JSON, a page.",
        {**NUMBER_SCHEMA, "example": 100},  # /docs begins with it: a browser's tab cannot show a million lines
    ),
    Parameter(
        "order",
        _one_of(*ORDERS),
        f"one of {', '.join(ORDERS)}",
        "Oldest first, or newest first.",
        {"type": "string", "enum": list(ORDERS), "default": "asc"},
    ),
    Parameter("tail", _number, NUMBER, "The last so many records, oldest first.", NUMBER_SCHEMA),
    Parameter(
        "cursor",
        Place.parse,
        "taken from the `next` of a page, as it is",
        "Go on behind a page: a part of its `next`.",
        {"type": "string"},
    ),
    Parameter(
        "format",
        _one_of(*FORMATS),
        f"one of {', '.join(FORMATS)}",
        "The form of the answer; without it, as the header Accept says, else text.",
        {"type": "string", "enum": list(FORMATS)},
    ),
    Parameter(
        "follow",
        lambda value: _one_of("0", "1")(value) == "1",
        "one of 0, 1",
        "1: go on with each record as it comes, as text, NDJSON, or server-sent events (Accept: text/event-stream).",
        {"type": "integer", "enum": [0, 1]},
    ),
)

# What would contradict each other, or say nothing.
APART = {"tail": ("limit", "order", "cursor"), "follow": ("since", "until", "limit", "order", "cursor")}


def parse(given: QueryDict) -> Query:
    """The query of a request; raises RecordError, which names the parameter and what is allowed."""
    values = read(given, PARAMETERS)
    for name, others in APART.items():
        if values.get(name) not in (None, False) and (
            other := next((other for other in others if other in values), None)
        ):
            raise RecordError(f"{name}: goes without {other}; leave one of the two out")
    moving = any(moments.moves(given.get(name, "")) for name in ("since", "until"))
    return Query(**values, moving=moving)


def read(given: QueryDict, parameters: Sequence[Parameter]) -> dict[str, Any]:
    """The values of the parameters that are given; raises RecordError, also for one that is unknown."""
    known = [parameter.name for parameter in parameters]
    if unknown := sorted(set(given) - set(known)):
        raise RecordError(f"unknown parameter {unknown[0]!r}; known are {', '.join(known)}")
    return {parameter.name: _value(parameter, given) for parameter in parameters if parameter.name in given}


def _value(parameter: Parameter, given: QueryDict) -> Any:
    texts = given.getlist(parameter.name)
    if len(texts) > 1:
        raise RecordError(f"{parameter.name}: given {len(texts)} times; once is allowed")
    try:
        return parameter.read(texts[0])
    except (ValueError, OverflowError):
        raise RecordError(f"{parameter.name}: must be {parameter.wanted}") from None
