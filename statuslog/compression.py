"""gzip for clients that ask for it, by what negotiation.py says of `Accept-Encoding`."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers

from statuslog.negotiation import takes_gzip


def compressed(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """The response, compressed if the client likes that; a short one stays as it is."""
    patch_vary_headers(response, ["Accept-Encoding"])
    if not takes_gzip(request.META.get("HTTP_ACCEPT_ENCODING", "")):
        return response
    request.META["HTTP_ACCEPT_ENCODING"] = "gzip"  # Django's own looks for the name in small letters
    return GZipMiddleware(lambda _: response).process_response(request, response)
