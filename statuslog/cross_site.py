"""What web pages of other origins may not do: a middleware of all three services.

A page can send a POST of plain text, or a GET, to any address that its visitor's browser reaches, such as 127.0.0.1.
The browser then says so in `Sec-Fetch-Site` or `Origin`, which no page can change. Other clients send neither header.
"""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from statuslog import rest
from statuslog.access import RECORDING

Origin = tuple[str, str | None, int | None]
REFUSED = "refused: a web page of another origin has sent this (Origin, Sec-Fetch-Site)"
PORTS = {"http": 80, "https": 443}


class NoOtherOrigins:
    """403 for each request of a page of another origin. For storage, which no page needs."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if self.concerns(request) and is_of_another_origin(request):
            return rest.error(request, 403, REFUSED)
        return self._get_response(request)

    def concerns(self, request: HttpRequest) -> bool:
        return True


class NoRecordsForOtherOrigins(NoOtherOrigins):
    """The same for what makes a record. Nothing else of service1 and service2 changes anything, and pages of other
    origins cannot read an answer."""

    def concerns(self, request: HttpRequest) -> bool:
        return request.path_info in RECORDING


def is_of_another_origin(request: HttpRequest) -> bool:
    """Whether a web page of another origin has sent it. That somebody follows a link to here does not count."""
    site, origin = request.META.get("HTTP_SEC_FETCH_SITE"), request.META.get("HTTP_ORIGIN")
    if site:
        return site.lower() not in ("same-origin", "none") and not _follows_a_link(request)
    return bool(origin) and _origin(str(origin)) != _origin(f"{request.scheme}://{request.get_host()}")


def _follows_a_link(request: HttpRequest) -> bool:
    """Whether the browser opens it as a page of its own: in no frame, and not in advance."""
    meta = request.META
    return (
        request.method in ("GET", "HEAD")
        and meta.get("HTTP_SEC_FETCH_MODE") == "navigate"
        and meta.get("HTTP_SEC_FETCH_DEST", "document") == "document"
        and "HTTP_ORIGIN" not in meta
        and "HTTP_SEC_PURPOSE" not in meta
    )


def _origin(text: str) -> Origin | None:
    """Scheme, host and port; None for what is no origin, such as `null`."""
    try:
        parts = urlsplit(text)
        return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return None
