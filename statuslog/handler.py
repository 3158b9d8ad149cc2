"""Django's WSGI handler and request, for what clients really send in `Host` and `Content-Type`."""

import re
from functools import lru_cache
from typing import Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http.request import validate_host
from django.utils.http import parse_header_parameters

# What Django calls a host name, and underscores: Compose's names have them, and RFC 3986 allows them.
_WITH_UNDERSCORES = re.compile(r"([a-z0-9._-]+?)\.?(?::[0-9]+)?", re.IGNORECASE)
_ANY_BYTES = bytes(range(256))
_ASCII = bytes(range(128)).decode("ascii")  # which a query consists of, and which every charset of the web contains


class Request(WSGIRequest):
    """A request whose host may have underscores, and whose `Content-Type` cannot break it."""

    def __init__(self, environ: dict[str, Any]) -> None:
        if ";" in environ.get("CONTENT_TYPE", ""):
            environ["CONTENT_TYPE"] = _readable(environ["CONTENT_TYPE"])
        super().__init__(environ)

    def get_host(self) -> str:
        """The host with its port, as the client has named it; raises DisallowedHost."""
        host = self.META.get("HTTP_HOST", "")
        found = _WITH_UNDERSCORES.fullmatch(host) if "_" in host else None
        if found and validate_host(found[1].lower(), settings.ALLOWED_HOSTS):
            return str(host)
        return super().get_host()


class Handler(WSGIHandler):
    request_class = Request


def handler() -> Handler:
    """Django's `get_wsgi_application` with this handler."""
    django.setup(set_prefix=False)
    return Handler()


@lru_cache(maxsize=128)
def _readable(content_type: str) -> str:
    """The header; without its parameters if Django would fail on them.

    Django decodes the query in the charset that is named there, and raises if it is none for text, such as `rot13`.
    """
    try:
        _, parameters = parse_header_parameters(content_type)
        is_text = _ANY_BYTES.decode(parameters.get("charset", "utf-8"), "replace").startswith(_ASCII)
    except (LookupError, ValueError):
        is_text = False
    return content_type if is_text else content_type.partition(";")[0]
