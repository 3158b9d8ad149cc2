"""Which port serves what: the metrics are for the operator, so they have a port of their own, that is not published."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from statuslog.ports import listening_port


class UrlconfByPort:
    """Choose the URL set by the port that the connection came in on: no header that a client sends has a say in it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if listening_port(request.META) == str(settings.METRICS_PORT):
            request.urlconf = settings.METRICS_URLCONF
        return self.get_response(request)
