"""`GET /status`."""

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from statuslog.outbox.recording import recorder_from_environment
from statuslog.recorder import NotKept
from statuslog.rest import Unavailable, View, wants_json

own, delivery = recorder_from_environment(settings.SERVICE)


class StatusView(View):
    """A record of service2, kept."""

    def get(self, request: Request) -> Response:
        try:
            kept = own.keep()
        except NotKept as error:
            raise Unavailable(f"service2: {error}") from error
        body = {"records": [kept.record.to_json()], "errors": []} if wants_json(request) else f"{kept.record.line}\n"
        return Response(body, headers={"Record-Delivery": kept.delivery})
