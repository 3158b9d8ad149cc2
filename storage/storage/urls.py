"""The API's paths: what every port but the admin's serves."""

from pathlib import Path

from django.urls import path

from logs import figures, readiness
from logs.views import EditionView, LogView, OverviewView
from statuslog import exposition, health, schema

urlpatterns = [
    path("log", LogView.as_view()),
    path("edition", EditionView.as_view()),
    path("overview", OverviewView.as_view()),
    *health.urls(readiness.database, readiness.disk, facts=readiness.facts),
    *exposition.urls(figures.log, figures.database),
    *schema.urls(Path(__file__).parent),
]

handler400 = "statuslog.rest.bad_request"
handler404 = "statuslog.rest.not_found"
handler500 = "storage.errors.server_error"
