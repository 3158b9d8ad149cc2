"""What gunicorn runs."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "service2.settings")

application = get_wsgi_application()

from service2.views import delivery  # noqa: E402 - the settings come first

delivery.start()
