"""The admin's static files, by WhiteNoise."""

from typing import Any

from django.http import HttpRequest
from whitenoise.middleware import WhiteNoiseMiddleware

from statuslog.negotiation import takes_gzip


class StaticFiles(WhiteNoiseMiddleware):
    """WhiteNoise looks in `Accept-Encoding` for names and not for weights: it is told what they come to."""

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> Any:
        accepted = request.META.get("HTTP_ACCEPT_ENCODING", "")
        request.META["HTTP_ACCEPT_ENCODING"] = "gzip" if takes_gzip(accepted) else "identity"
        return WhiteNoiseMiddleware.serve(static_file, request)
