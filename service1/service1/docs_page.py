"""`GET /docs`: the API as a page to read and to try. Swagger UI comes from a package, so no other server is asked."""

from importlib.resources import files
from pathlib import Path

from django.http import FileResponse, Http404
from django.urls import URLPattern, path
from rest_framework.request import Request

from statuslog.rest import OneFormView

OWN = Path(__file__).with_name("docs")
SWAGGER_UI = Path(str(files("drf_spectacular_sidecar"))) / "static/drf_spectacular_sidecar/swagger-ui-dist"
FILES = {
    "index.html": (OWN, "text/html; charset=utf-8"),
    "start.js": (OWN, "text/javascript; charset=utf-8"),
    "swagger-ui-bundle.js": (SWAGGER_UI, "text/javascript; charset=utf-8"),
    "swagger-ui.css": (SWAGGER_UI, "text/css; charset=utf-8"),
}


def policy(*, form_action: str = "'none'") -> str:
    """A Content-Security-Policy: nothing that is not a file of ours, nothing written into the page itself, no frame
    around it. Swagger UI's icons are `data:` images; its styles it sets by script, which this does not concern."""
    allowed = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": form_action,
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{what} {whence}" for what, whence in allowed.items())


HEADERS = {"Content-Security-Policy": policy(), "X-Content-Type-Options": "nosniff", "Cache-Control": "max-age=3600"}


class DocsView(OneFormView):
    """The page, or a file that it needs."""

    def get(self, request: Request, name: str = "index.html") -> FileResponse:
        if name not in FILES:
            raise Http404("there is nothing at this path")
        folder, content_type = FILES[name]
        return FileResponse((folder / name).open("rb"), content_type=content_type, headers=HEADERS)


def urls() -> list[URLPattern]:
    return [path("docs", DocsView.as_view()), path("docs/<name>", DocsView.as_view())]
