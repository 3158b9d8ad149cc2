"""`GET /schema`: the service's OpenAPI document, as the package `openapi` has written it for this version."""

import json
from pathlib import Path

from django.conf import settings
from django.http import HttpResponse
from django.urls import URLPattern, path
from rest_framework.request import Request

from statuslog.rest import JSON, JSONView


class SchemaView(JSONView):
    """The document, always JSON."""

    document = b""

    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(self.document, content_type=JSON)


def urls(package: Path) -> list[URLPattern]:
    """The path, for the service whose code is in the folder `package`."""
    document = (package / "openapi.json").read_bytes()
    if settings.FORCE_SCRIPT_NAME:
        at = {"servers": [{"url": settings.FORCE_SCRIPT_NAME}]}
        document = json.dumps({**json.loads(document), **at}, indent=2).encode()
    return [path("schema", SchemaView.as_view(document=document))]
