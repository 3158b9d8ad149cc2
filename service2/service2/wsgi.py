"""What gunicorn runs."""

import os

from django.conf import settings

from statuslog import proxy, sqlite
from statuslog.handler import handler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "service2.settings")

application = proxy.behind(handler())
sqlite.serve(settings.DATABASES["default"])

from service2.views import delivery  # noqa: E402 - the settings come first

delivery.start()
