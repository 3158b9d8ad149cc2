"""What the three services' HTTP answers have in common: text by default, JSON when asked for, and errors in both.

An error never shows a stack trace or HTML: its text is one line, its JSON a problem of RFC 9457.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import DisallowedHost, RequestDataTooBig, TooManyFieldsSent
from django.http import HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions, status
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.views import exception_handler as rest_exception_handler

from statuslog import negotiation

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
PROBLEM = "application/problem+json"  # https://www.rfc-editor.org/rfc/rfc9457
# For how many seconds the parts of an answer may keep us waiting; who hands it on is patient for so much longer.
SILENCE = "Answer-Silence"
INTERNAL = "an error of the service itself; its log says more"


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
        meta = request._request.META  # found at once; DRF looks for it in two places each time
        if meta.get("QUERY_STRING") and "format" in request.query_params:
            named = request.query_params["format"]
            for renderer in renderers:
                if renderer.format == named:  # whatever Accept says
                    return renderer, renderer.media_type
            raise exceptions.ValidationError("unknown format: use ?format=text or ?format=json")
        offers = tuple([renderer.media_type for renderer in renderers])
        choice = negotiation.preferred(meta.get("HTTP_ACCEPT", ""), offers)
        if choice is None:
            raise exceptions.NotAcceptable("this is answered as text/plain or application/json only")
        renderer, indent = renderers[choice.number], choice.parameters.get("indent", "")
        return renderer, f"{renderer.media_type}; indent={indent}" if indent.isdecimal() else renderer.media_type


class Unavailable(exceptions.APIException):
    """503: it cannot be done now, and nothing was kept. Or 502 or 504: another service did not answer as it should."""

    def __init__(self, detail: str, status_code: int = status.HTTP_503_SERVICE_UNAVAILABLE) -> None:
        super().__init__(detail)
        self.status_code = status_code


class View(APIView):
    """The base of all our endpoints: open to whoever reaches the port, text first."""

    authentication_classes = ()
    permission_classes = ()
    renderer_classes: tuple[type[BaseRenderer], ...] = (PlainTextRenderer, JSONRenderer)
    content_negotiation_class = TextFirstNegotiation
    metadata_class = None
    format_kwarg = None  # no path of ours has the format at its end

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # Of DRF's steps only this one: there are no versions, users, permissions or throttles to look for.
        request.accepted_renderer, request.accepted_media_type = self.perform_content_negotiation(request)

    def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]
        """Only the header Allow: there is nothing else to say."""
        return Response(status=status.HTTP_204_NO_CONTENT)

    def get_exception_handler(self) -> Any:
        return exception_handler


class OneFormView(View):
    """The base of what has its form whatever the client would like best: a page, a file, another service's answer."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        return super().perform_content_negotiation(request, force=True)


class JSONView(OneFormView):
    """The base of what is JSON in any case."""

    renderer_classes = (JSONRenderer,)


def wants_json(request: Request) -> bool:
    return isinstance(request.accepted_renderer, JSONRenderer)


def prefers_json(request: HttpRequest) -> bool:
    """Whether an error is to be JSON, whatever other forms there are."""
    # Not request.GET: a query that Django refuses to read may be the very error.
    asked_for = "format=json" in request.META.get("QUERY_STRING", "").split("&")
    return asked_for or preferred_type(request, ("text/plain", JSON, PROBLEM)) in (JSON, PROBLEM)


def preferred_type(request: HttpRequest, offers: tuple[str, ...]) -> str:
    """The media type among the offers that the client likes best; the first if it accepts none of them."""
    choice = negotiation.preferred(request.META.get("HTTP_ACCEPT", ""), offers)
    return offers[choice.number if choice else 0]


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's answer, with every error in the one form; None for what is the service's own error."""
    response = rest_exception_handler(error, context)
    if response is None:
        return None
    request = context["request"]
    if not hasattr(request, "accepted_renderer"):  # the error came before DRF had looked at what is accepted
        negotiated = context["view"].perform_content_negotiation(request, force=True)
        request.accepted_renderer, request.accepted_media_type = negotiated
    response.data = _problem(response.status_code, _flat(response.data))
    if wants_json(request):
        response.content_type = PROBLEM
    return response


def _problem(code: int, detail: str) -> dict[str, Any]:
    # "about:blank": the status says all there is to say about the kind of the problem (RFC 9457, 4.2.1).
    return {"type": "about:blank", "title": HTTPStatus(code).phrase, "status": code, "detail": detail}


def _flat(detail: Any) -> str:
    while isinstance(detail, list | dict):
        detail = next(iter(detail if isinstance(detail, list) else detail.values()), "")
    return str(detail)


def error(request: HttpRequest, code: int, text: str) -> HttpResponse:
    """An error that no view of ours has seen: a line of text or a problem, as the client accepts."""
    if prefers_json(request):
        response: HttpResponse = JsonResponse(_problem(code, text), status=code, content_type=PROBLEM)
    else:
        response = HttpResponse(f"{text}\n", status=code, content_type=TEXT)
    response["Content-Length"] = str(len(response.content))  # Django's middleware may not see it any more
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """For what Django refuses to look at."""
    reason = next((text for kind, text in _REFUSED.items() if isinstance(exception, kind)), "")
    return error(request, 400, f"bad request{reason}")


_REFUSED: dict[type[Exception], str] = {
    DisallowedHost: ": the Host header is no host name, or none that this service answers to",
    TooManyFieldsSent: ": too many parameters",
    RequestDataTooBig: ": the body is too long",
}


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error(request, 404, "there is nothing at this path")


def server_error(request: HttpRequest) -> HttpResponse:
    return error(request, 500, INTERNAL)


def unavailable(request: HttpRequest, text: str) -> HttpResponse:
    """503 where no view of ours can answer; to be tried again in a second."""
    answer = error(request, 503, text)
    answer["Retry-After"] = "1"
    return answer
