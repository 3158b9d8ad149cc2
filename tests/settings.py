"""All three projects in one process, for `pytest` alone at the root: storage's settings, and what else is asked for."""

import tests.environment  # noqa: F401 - before the settings that read it
from storage.settings import *  # noqa: F403

SERVICE = "tests"
SERVICE2_URL = "http://127.0.0.1:9"  # nothing answers on the port "discard"
METRICS_PORT, METRICS_PUBLIC, METRICS_URLCONF = 8203, False, "service1.metrics_urls"
INSTALLED_APPS = [*INSTALLED_APPS, "statuslog.outbox"]  # noqa: F405 - last: storage's own commands of the same name come first
