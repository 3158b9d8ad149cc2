"""The summary on the admin's first page, and its link to service1's page."""

from datetime import UTC, datetime
from typing import Any

from django import template
from django.conf import settings
from django.http.request import HttpRequest, split_domain_port

from logs import summary

register = template.Library()

FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST")


@register.inclusion_tag("logs/summary.html")
def log_summary() -> dict[str, Any]:
    return {"summary": summary.summary(datetime.now(UTC))}


@register.simple_tag(takes_context=True)
def page_address(context: template.Context) -> str:
    """Where service1's page is: behind the same proxy, or at the same host, on its own port."""
    request: HttpRequest = context["request"]
    path = f"{settings.FORCE_SCRIPT_NAME or ''}/"
    if any(name in request.META for name in FORWARDED):
        return path
    host, _ = split_domain_port(request.get_host())
    return f"{request.scheme}://{host}:{settings.PAGE_PORT}{path}"
