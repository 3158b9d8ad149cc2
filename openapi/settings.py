"""Django settings for writing the documents: the code of all services at once. Nothing is stored."""

import tomllib

from statuslog import env
from storage.settings import *  # noqa: F403

SERVICE = "openapi"
SERVICE2_URL = "http://127.0.0.1:9"  # nobody is asked
METRICS_PUBLIC = False
INSTALLED_APPS = [*INSTALLED_APPS, "statuslog.outbox", "drf_spectacular"]  # noqa: F405
REST_FRAMEWORK = {**REST_FRAMEWORK, "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}  # noqa: F405
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.0",
    "VERSION": tomllib.loads((env.ROOT / "pyproject.toml").read_text())["project"]["version"],
}
