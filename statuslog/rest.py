"""What the three services' HTTP answers have in common: text by default, JSON when asked for, and errors in both.

An error never shows a stack trace or HTML: its text is one line, its JSON `{"detail": …}`.
"""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions, status
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.views import exception_handler as rest_exception_handler

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"


class PlainTextRenderer(BaseRenderer):
    """Text as it is; an error as its line."""

    media_type = "text/plain"
    format = "text"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        if isinstance(data, Mapping):
            data = f"{data['detail']}\n"
        return (data or "").encode()


class TextFirstNegotiation(DefaultContentNegotiation):
    """As the client asks; a client that accepts neither text nor JSON gets its 406 as text."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        try:
            return super().select_renderer(request, renderers, format_suffix)
        except exceptions.NotAcceptable as error:
            error.detail = "this is answered as text/plain or application/json only"  # type: ignore[assignment]
            raise
        except Exception as error:
            # DRF answers an unknown ?format= with 404; the path is right, the value is not.
            raise exceptions.ValidationError("unknown format: use ?format=text or ?format=json") from error


class Unavailable(exceptions.APIException):
    """503: it cannot be done now, and nothing was kept."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE


class View(APIView):
    """The base of all our endpoints: open to whoever reaches the port, text first."""

    authentication_classes = ()
    permission_classes = ()
    renderer_classes: tuple[type[BaseRenderer], ...] = (PlainTextRenderer, JSONRenderer)
    content_negotiation_class = TextFirstNegotiation
    metadata_class = None

    def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]
        """Only the header Allow: there is nothing else to say."""
        return Response(status=status.HTTP_204_NO_CONTENT)

    def get_exception_handler(self) -> Any:
        return exception_handler


def wants_json(request: Request) -> bool:
    return isinstance(request.accepted_renderer, JSONRenderer)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's answer, with every error in the one form {"detail": text}."""
    response = rest_exception_handler(error, context)
    if response is not None and isinstance(error, exceptions.APIException):
        response.data = {"detail": _flat(error.detail)}
    return response


def _flat(detail: Any) -> str:
    while isinstance(detail, list | dict):
        detail = next(iter(detail if isinstance(detail, list) else detail.values()), "")
    return str(detail)


def _error(request: HttpRequest, code: int, text: str) -> HttpResponse:
    if request.accepts("text/plain") or not request.accepts(JSON):
        return HttpResponse(f"{text}\n", status=code, content_type=TEXT)
    return JsonResponse({"detail": text}, status=code)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _error(request, 400, "bad request")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _error(request, 404, "there is nothing at this path")


def server_error(request: HttpRequest) -> HttpResponse:
    return _error(request, 500, "an error of the service itself; its log says more")
