"""What storage answers when a view has failed: a line or a problem, and in the admin a page for a browser."""

import sys
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string

from logs import readiness
from statuslog import rest
from statuslog.database import engine

FORM = "form"  # a 403, too
# By status code: the title, and what to do.
PAGES: dict[int | str, tuple[str, str]] = {
    400: (
        "This cannot be read",
        "The address or the form is wrong or too long, or the host name in the address is none of "
        "DJANGO_ALLOWED_HOSTS.",
    ),
    403: ("You may not see this", "Your account lacks the permission. Somebody with all permissions can give it."),
    405: ("This address is for something else", "It takes other kinds of requests: go there from the admin's pages."),
    FORM: (
        "This form cannot be taken",
        "It is too old, or it came from another address than its page: load the page again. Behind a proxy, "
        "TRUSTED_PROXIES or DJANGO_CSRF_TRUSTED_ORIGINS may be missing (docs/operations/proxy.md).",
    ),
    404: ("There is nothing at this address", "A record that was here may have been pruned since."),
    429: ("This account is locked", settings.AXES_COOLOFF_MESSAGE),
    500: (
        "Something is wrong with this page",
        "It is an error of the service itself: ./manage_all.sh logs storage says more.",
    ),
    503: (
        "The log cannot be reached",
        "The database is away or busy. No record is lost: what the services cannot store now waits in their outboxes. "
        "./manage_all.sh status says how all of it is.",
    ),
}


def server_error(request: HttpRequest) -> HttpResponse:
    """503 when it was the database, which may be restarting, else 500."""
    error = sys.exc_info()[1]  # Django calls this while it handles the error
    trouble = engine.trouble(error) if isinstance(error, Error) else None
    why = readiness.why_not() if trouble else None
    # What the code asks for in vain of a database that is not older is an error of the code.
    if trouble is None or (trouble == "outdated" and why is None):
        return rest.server_error(request)
    return rest.unavailable(request, why or "the database is away or busy")


def admin_server_error(request: HttpRequest) -> HttpResponse:
    return _page(request, server_error(request))


def admin_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, rest.not_found(request, exception))


def admin_bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, rest.bad_request(request, exception))


def admin_forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, rest.error(request, 403, "this account may not see this"))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _page(request, rest.error(request, 403, f"the form cannot be taken: {reason}"), FORM)


def locked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Too many wrong passwords."""
    return _page(request, rest.error(request, 429, settings.AXES_COOLOFF_MESSAGE))


class NoEmptyErrors:
    """A middleware of the admin: Django's and WhiteNoise's errors that say nothing, such as 405, say what they are."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        code = response.status_code
        if code < 400 or not (response.streaming or not response.content):  # type: ignore[attr-defined]
            return response
        said = _page(request, rest.error(request, code, HTTPStatus(code).phrase.lower()))
        if "Allow" in response.headers:
            said["Allow"] = response["Allow"]
        return said


def _page(request: HttpRequest, answer: HttpResponse, kind: str = "") -> HttpResponse:
    """The answer as a page, for who prefers one. It asks neither database nor session: those may be what is wrong."""
    if rest.preferred_type(request, ("text/plain", rest.JSON, rest.PROBLEM, "text/html")) != "text/html":
        return answer
    title, text = PAGES.get(kind or answer.status_code, (answer.reason_phrase, ""))
    again = request.method == "GET" and answer.status_code >= 500
    context = {"title": title, "text": text, "site_title": admin.site.site_title, "again": again}
    page = HttpResponse(render_to_string("logs/error.html", context), status=answer.status_code)
    page["Content-Length"] = str(len(page.content))
    for name, value in answer.headers.items():
        page.headers.setdefault(name, value)
    return page
