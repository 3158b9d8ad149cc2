"""Errors that no view has seen, as the request did not come so far: gunicorn's parser refused it, or the worker.

They have the form of all others (rest.py), as far as what has arrived of the request says what the client accepts.
"""

import logging
import re
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from gunicorn.http import errors

from statuslog import rest

log = logging.getLogger(__name__)

_ACCEPT = re.compile(rb"^accept:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_QUERY = re.compile(rb"[^ ?]* [^ ?]*\?([^ #\r\n]*)")

# What the parser raises, and the status that says the same; all others are 400.
_CODES: tuple[tuple[type[Exception], int], ...] = (
    (errors.LimitRequestLine, 414),
    (errors.LimitRequestHeaders, 431),
    (errors.ExpectationFailed, 417),
    (errors.UnsupportedTransferCoding, 501),
)
# The application's own fault, though the class is one of the parser's.
_OURS = (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName, errors.ConfigurationProblem)


def of(error: Exception) -> tuple[int, str]:
    """Status and reason for what went wrong before a view could answer; 500 for what is no error of the client."""
    if isinstance(error, TimeoutError):
        return 408, "the request did not arrive in time"
    if isinstance(error, _OURS) or not isinstance(error, errors.ParseException):
        return 500, rest.INTERNAL
    code = next((code for kind, code in _CODES if isinstance(error, kind)), 400)
    return code, str(error)


def answer(head: bytes, code: int, detail: str) -> bytes:
    """The whole answer, as bytes, to a request of which `head` has arrived. The connection is to be closed after it."""
    response = _response(head, code, detail)
    lines = [f"HTTP/1.1 {code} {HTTPStatus(code).phrase}", f"Date: {formatdate(usegmt=True)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in response.items()]
    body = b"" if head.startswith(b"HEAD ") else response.content
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body


def _response(head: bytes, code: int, detail: str) -> HttpResponse:
    request = HttpRequest()
    accept, query = _ACCEPT.search(head), _QUERY.match(head)
    request.META["HTTP_ACCEPT"] = accept[1].decode("latin-1") if accept else "*/*"
    request.META["QUERY_STRING"] = query[1].decode("latin-1") if query else ""
    if code == 503:
        return rest.unavailable(request, detail)
    return rest.error(request, code, detail)


def tell(client: Any, code: int, detail: str) -> None:
    """The event of it."""
    address = client[0] if isinstance(client, tuple) else ""
    log.warning("refused with %d: %s", code, detail, extra={"fields": {"status": code, "client": address}})
