"""`GET /status`."""

from django.conf import settings
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from statuslog import tracing
from statuslog.outbox.recording import recorder_from_environment
from statuslog.recorder import LARGEST_BATCH, NotKept
from statuslog.rest import Unavailable, View, wants_json

own, delivery = recorder_from_environment(settings.SERVICE)


class StatusView(View):
    """A record of service2, kept; or `count` of them, which service1 asks for on behalf of as many requests."""

    def get(self, request: Request) -> Response:
        count = _count(request)
        if count > 1:
            tracing.note_batch(request.headers.get(tracing.BATCH, "").split(","))
        try:
            kept = own.keep_together(count)
        except NotKept as error:
            raise Unavailable(f"service2: {error}") from error
        records = [one.record for one in kept]
        if wants_json(request):
            body: object = {"records": [record.to_json() for record in records], "errors": []}
        else:
            body = "".join(f"{record.line}\n" for record in records)
        return Response(body, headers={"Record-Delivery": kept[0].delivery})


def _count(request: Request) -> int:
    """How many records the request asks for; raises ValidationError."""
    if not request.META["QUERY_STRING"]:  # as nearly always; to take a query apart costs more than to look
        return 1
    value = request.query_params.get("count", "1")
    if not (value.isascii() and value.isdigit() and len(value) <= 4 and 1 <= int(value) <= LARGEST_BATCH):
        raise ValidationError(f"count: must be a whole number, 1 to {LARGEST_BATCH:,}")
    return int(value)
