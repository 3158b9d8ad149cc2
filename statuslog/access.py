"""Who may ask, when API_TOKENS is set: a middleware of all three services, innermost, so that a refusal gets what
every answer gets. Without API_TOKENS it is not there at all.
"""

import binascii
from base64 import b64decode
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from statuslog import rest, tokens

# Who asks these has no secret to send: the health checks of an engine, of a balancer, of an orchestrator. They tell the
# names of what is wrong and how many records wait, and to a stranger nothing of the log or the machine.
OPEN = {"/healthz", "/readyz"}
STRANGER = "statuslog.stranger"
READING = {"GET", "HEAD", "OPTIONS"}
RECORDING = {"/status"}  # to read it is to make a record
# Basic first: of two challenges in one header some browsers see only the first, and it is browsers that ask for it.
CHALLENGE = 'Basic realm="statuslog", charset="UTF-8", Bearer realm="statuslog"'


class NeedToken:
    """401 without a token that is known, 403 to write with one that may only read."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._tokens: tuple[tokens.Token, ...] = settings.API_TOKENS
        if not self._tokens:
            raise MiddlewareNotUsed
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # Taken out: nothing behind this can log it, show it or hand it on.
        secret = presented(request.META.pop("HTTP_AUTHORIZATION", ""))
        access = tokens.access_with(secret, self._tokens)
        if request.path_info in OPEN:
            request.META[STRANGER] = access is None
            return self._get_response(request)
        if access is None:
            said = "this token is not known" if secret else "a token is needed"
            answer = rest.error(request, 401, f"{said}: Authorization: Bearer TOKEN, or the token as a password")
            answer["WWW-Authenticate"] = CHALLENGE
            return answer
        if access == "read" and (request.method not in READING or request.path_info in RECORDING):
            return rest.error(request, 403, "this token may only read, and to make or post records is to write")
        return self._get_response(request)


def presented(authorization: str) -> str:
    """The token in the header: Bearer's, or the password of Basic with any user name; "" when there is none."""
    scheme, _, value = authorization.partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer":
        return value
    if scheme.lower() == "basic":
        try:
            return b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            pass
    return ""
