"""The admin's paths: all that ADMIN_PORT serves."""

from django.apps import apps
from django.contrib import admin
from django.http import HttpResponse
from django.urls import path
from django.views.generic import RedirectView

admin.site.site_header = admin.site.site_title = "statuslog"
apps.get_app_config("axes").verbose_name = "Log-in attempts"
admin.site.index_title = "What storage keeps"
admin.site.enable_nav_sidebar = False  # the lines need its room
admin.site.site_url = None  # the link to service1's page is in templates/admin/base_site.html

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("favicon.ico", lambda request: HttpResponse(status=204)),  # each browser asks; there is none
]

handler400 = "storage.errors.admin_bad_request"
handler403 = "storage.errors.admin_forbidden"
handler404 = "storage.errors.admin_not_found"
handler500 = "storage.errors.admin_server_error"
