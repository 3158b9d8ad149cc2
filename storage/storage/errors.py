"""What storage answers when a view has failed: the API's and the admin's alike."""

import sys

from django.db import Error
from django.http import HttpRequest, HttpResponse

from statuslog import rest
from statuslog.database import engine


def server_error(request: HttpRequest) -> HttpResponse:
    """503 when it was the database, which may be restarting, else 500."""
    error = sys.exc_info()[1]  # Django calls this while it handles the error
    if isinstance(error, Error) and engine.trouble(error):
        return rest.unavailable(request, "the database is away or busy")
    return rest.server_error(request)
