"""The summary on the admin's first page."""

from datetime import UTC, datetime
from typing import Any

from django import template

from logs import summary

register = template.Library()


@register.inclusion_tag("logs/summary.html")
def log_summary() -> dict[str, Any]:
    return {"summary": summary.summary(datetime.now(UTC))}
