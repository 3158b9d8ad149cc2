"""Which port serves what: the admin on one, the API on all others, never both."""

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import set_urlconf

from statuslog.ports import listening_port


def is_admins(environ: Mapping[str, Any]) -> bool:
    """Whether the connection came in on the admin's port."""
    return listening_port(environ) == str(settings.ADMIN_PORT)


class UrlconfByPort:
    """Choose the URL set by the port that the connection came in on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if is_admins(request.META):
            request.urlconf = settings.ADMIN_URLCONF
            set_urlconf(settings.ADMIN_URLCONF)  # as Django does later: errors before have the admin's form, too
        return self.get_response(request)
