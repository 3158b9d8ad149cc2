"""The bodies that `POST /log` takes. A byte order mark at the beginning and the CR of a CRLF are no content."""

import codecs
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from django.conf import settings
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.request import Request

from statuslog.verdict import Verdict

CHUNK = 64 * 1024


class LengthRequired(APIException):
    status_code = status.HTTP_411_LENGTH_REQUIRED
    default_detail = "send the body with a Content-Length, not in chunks"


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    verdict = Verdict.LARGE


def check_length(request: Request) -> None:
    """Refuse a body before reading it: one of unknown length, an empty one, or one over MAX_BODY_BYTES."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length.isdigit() or "HTTP_TRANSFER_ENCODING" in request.META:
        raise LengthRequired
    if int(length) == 0:
        raise ParseError("the body is empty; send one record a line")
    if int(length) > settings.MAX_BODY_BYTES:
        raise TooLarge(f"the body has {int(length):,} bytes; MAX_BODY_BYTES allows {settings.MAX_BODY_BYTES:,}")


@dataclass(frozen=True, slots=True)
class Lines:
    """A body's lines without their ends, read while they are asked for; each is a record in JSON, or else text."""

    lines: Iterator[bytes]
    of_records: bool


class TextParser(BaseParser):
    """The raw lines. They are looked at in serializers.py, which can name the wrong one."""

    media_type = "text/plain"
    of_records = False

    def parse(  # type: ignore[override] # DRF's views take any type
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Lines:
        return Lines(_lines(stream, int((parser_context or {})["request"].META["CONTENT_LENGTH"])), self.of_records)


def _lines(stream: IO[bytes], length: int) -> Iterator[bytes]:
    rest = b""
    for chunk in _chunks(stream, length):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r")
    if rest:  # the last line needs no end
        yield rest


def _chunks(stream: IO[bytes], length: int) -> Iterator[bytes]:
    beginning = stream.read(len(codecs.BOM_UTF8))
    length -= len(beginning)
    if beginning != codecs.BOM_UTF8:
        yield beginning
    elif length == 0:
        yield b"\n"  # nothing but the mark is a blank line
    while chunk := stream.read(CHUNK):
        length -= len(chunk)
        yield chunk
    # A client that dies while it sends leaves half a line, which nothing else would tell from a whole one.
    if length > 0:
        raise ParseError("the body is shorter than its Content-Length")


class NdjsonParser(TextParser):
    """A record as JSON on each line."""

    media_type = "application/x-ndjson"
    of_records = True


class CurlParser(TextParser):
    """What `curl -d` says by default: it is a line of text, not a form."""

    media_type = "application/x-www-form-urlencoded"


class BoundedJSONParser(JSONParser):
    """JSON that is nested beyond what Python can follow is the client's error, as any other wrong JSON is."""

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return super().parse(stream, media_type, {**(parser_context or {}), "encoding": "utf-8-sig"})
        except RecursionError as error:
            raise ParseError("JSON parse error - nested too deeply") from error


PARSERS = (TextParser, CurlParser, NdjsonParser, BoundedJSONParser)
