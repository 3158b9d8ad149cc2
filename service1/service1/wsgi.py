"""What gunicorn runs."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from statuslog import proxy, sqlite

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "service1.settings")

application = proxy.behind(get_wsgi_application())
sqlite.serve(settings.DATABASES["default"])

from service1.views import delivery  # noqa: E402 - the settings come first

delivery.start()
