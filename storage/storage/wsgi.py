"""What gunicorn runs."""

import os
from collections.abc import Iterable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storage.settings")
django.setup(set_prefix=False)

from django.conf import settings  # noqa: E402

from logs import in_use, keeper  # noqa: E402
from statuslog import proxy, sqlite  # noqa: E402
from statuslog.handler import Handler  # noqa: E402
from storage import postgres  # noqa: E402
from storage.ports import is_admins  # noqa: E402

postgres.serve(settings.DATABASES["default"])
sqlite.serve(settings.DATABASES["default"])
in_use.tell(settings.DATA_DIR, settings.DATABASES["default"])
keeper.start()


def _handler(middleware: list[str]) -> Handler:
    """Django with this middleware: it reads the setting when the handler is made."""
    usual, settings.MIDDLEWARE = settings.MIDDLEWARE, middleware
    try:
        return Handler()
    finally:
        settings.MIDDLEWARE = usual


_admin = _handler(settings.MIDDLEWARE)
# Sessions, messages and what keeps a browser safe are a tenth of the work on a POST, and no service has use for them.
_api = _handler(settings.API_MIDDLEWARE)


def _by_port(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    return (_admin if is_admins(environ) else _api)(environ, start_response)


application = proxy.behind(_by_port)
