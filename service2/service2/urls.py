"""The paths of service2."""

from pathlib import Path

from django.urls import path

from service2.views import StatusView, delivery
from statuslog import exposition, health, schema

urlpatterns = [
    path("status", StatusView.as_view()),
    *health.urls(delivery.problems, facts=delivery.facts),
    *exposition.urls(delivery.outbox_state, delivery.vstorage_state),
    *schema.urls(Path(__file__).parent),
]

handler400 = "statuslog.rest.bad_request"
handler404 = "statuslog.rest.not_found"
handler500 = "statuslog.rest.server_error"
