"""The page's style sheet and script: named for their content, compressed once, and kept by the browser for a year.

For two files neither WhiteNoise in the path of each request nor `collectstatic` is worth it, as with /docs.
"""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from django.http import Http404, HttpResponse
from rest_framework.request import Request

from statuslog.negotiation import takes_gzip
from statuslog.rest import OneFormView

FOLDER = Path(__file__).parent
TYPES = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class File:
    name: str
    content_type: str
    content: bytes
    compressed: bytes


def _file(name: str) -> File:
    content = (FOLDER / name).read_bytes()
    stem, _, end = name.partition(".")
    hashed = f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}.{end}"
    return File(hashed, TYPES[name], content, gzip.compress(content, mtime=0))


FILES = {file.name: file for file in map(_file, TYPES)}
STYLE, SCRIPT = FILES


class PageFileView(OneFormView):
    """One of the two."""

    def get(self, request: Request, name: str) -> HttpResponse:
        if name not in FILES:
            raise Http404("there is nothing at this path")
        file = FILES[name]
        zipped = takes_gzip(request.headers.get("Accept-Encoding", ""))
        response = HttpResponse(file.compressed if zipped else file.content, content_type=file.content_type)
        response["Cache-Control"] = "public, max-age=31536000, immutable"
        response["Vary"] = "Accept-Encoding"
        if zipped:
            response["Content-Encoding"] = "gzip"
        return response
