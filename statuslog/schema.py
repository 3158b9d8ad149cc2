"""`GET /schema`: the service's OpenAPI document, as the package `openapi` has written it for this version."""

from pathlib import Path

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
    return [path("schema", SchemaView.as_view(document=document))]
