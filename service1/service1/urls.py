"""The paths of service1."""

from pathlib import Path

from django.conf import settings
from django.urls import path

from service1 import docs_page, metrics_urls
from service1.page import view as page
from service1.views import LogView, StatusView, delivery
from statuslog import health, schema

urlpatterns = [
    path("status", StatusView.as_view()),
    path("log", LogView.as_view()),
    *health.urls(delivery.problems, facts=delivery.facts),
    *schema.urls(Path(__file__).parent),
    *docs_page.urls(),
    *page.urls(),
    *(metrics_urls.urlpatterns if settings.METRICS_PUBLIC else ()),
]

handler400 = "statuslog.rest.bad_request"
handler404 = "statuslog.rest.not_found"
handler500 = "statuslog.rest.server_error"
