"""Answers the challenge by which the services recognise storage: statuslog/verdict.py."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from statuslog.verdict import CHALLENGE, VERDICT, Verdict, show

LONGEST = 64  # characters of a challenge


class TellVerdict:
    """The header `Log-Verdict` for a request with a challenge; a view leaves its verdict on its response."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        challenge = request.META.get(HEADER, "")
        if 0 < len(challenge) <= LONGEST:
            response[VERDICT] = show(getattr(response, "verdict", Verdict.ANSWERED), challenge)
        return response


HEADER = f"HTTP_{CHALLENGE.upper().replace('-', '_')}"
