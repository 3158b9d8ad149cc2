"""Settings of service2, the internal service. Its database is the outbox."""

from statuslog import defaults, env, proxy, sqlite, tokens

SERVICE = "service2"

DEBUG = env.flag("DJANGO_DEBUG")
DATA_DIR = env.data_dir(SERVICE)
SECRET_KEY = env.secret_key(DATA_DIR)
# Nothing here builds an address from the Host header, so any name of the host will do.
ALLOWED_HOSTS = defaults.allowed_hosts(SERVICE, "*")
API_TOKENS = tokens.of_environment()
FORCE_SCRIPT_NAME = proxy.prefix() or None
SECURE_HSTS_SECONDS = proxy.HSTS_SECONDS if proxy.https() else 0

INSTALLED_APPS = ["statuslog.outbox", "rest_framework"]
MIDDLEWARE = [
    "statuslog.middleware.InternalTracing",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",  # Content-Length
    "statuslog.cross_site.NoRecordsForOtherOrigins",
    "statuslog.access.NeedToken",
]
ROOT_URLCONF = "service2.urls"
WSGI_APPLICATION = "service2.wsgi.application"
DATABASES = {"default": sqlite.database(DATA_DIR / "outbox.sqlite3")}
APPEND_SLASH = False

LANGUAGE_CODE = defaults.LANGUAGE_CODE
TIME_ZONE = defaults.TIME_ZONE
USE_TZ = defaults.USE_TZ
REST_FRAMEWORK = defaults.REST_FRAMEWORK
SILENCED_SYSTEM_CHECKS = [
    *defaults.SILENCED_SYSTEM_CHECKS,
    "security.W002",  # frames: there are no pages
    "security.W003",  # cross-site requests: statuslog/cross_site.py
]
LOGGING = defaults.logging(SERVICE)
