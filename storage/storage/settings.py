"""Settings of storage: the log's API on one port, its admin on another."""

from datetime import timedelta

import django

from logs.limits import Limits
from statuslog import defaults, env, proxy, sqlite, tokens
from storage import postgres

SERVICE = "storage"
DATA_DIR = env.data_dir(SERVICE)

DEBUG = env.flag("DJANGO_DEBUG")
SECRET_KEY = env.secret_key(DATA_DIR)
# A list of names, not "*": it keeps a page of some other site from reaching the admin by DNS rebinding.
ALLOWED_HOSTS = defaults.allowed_hosts(SERVICE)
CSRF_TRUSTED_ORIGINS = env.csv("DJANGO_CSRF_TRUSTED_ORIGINS")
API_TOKENS = tokens.of_environment()
FORCE_SCRIPT_NAME = proxy.prefix() or None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = proxy.https()
SECURE_HSTS_SECONDS = proxy.HSTS_SECONDS if proxy.https() else 0

# Requests that come in on this port get the admin and never the API; all others the API and never the admin.
ADMIN_PORT = env.integer("ADMIN_PORT", 8200, minimum=1)
MAX_BODY_BYTES = env.size("MAX_BODY_BYTES", 2**20, minimum=1)
# Where service1's page is published on this host: the admin has a link to it.
PAGE_PORT = env.integer("SERVICE1_PORT", 8199, minimum=1)
# Kept free, so that reading, deleting and SQLite's own recovery still work when the disk has filled up.
MIN_FREE_BYTES = env.size_or_share("MIN_FREE_BYTES", 16 * 2**20)
# What the log is to keep, looked at once a day (logs/keeper.py).
PRUNE = Limits.of_settings(env.text("PRUNE_OLDER_THAN"), env.text("PRUNE_KEEP_LAST"), env.text("PRUNE_MAX_BYTES"))

INSTALLED_APPS = [
    "logs",
    "axes",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
]
MIDDLEWARE = [
    "statuslog.middleware.Tracing",
    "storage.ports.UrlconfByPort",
    "storage.errors.NoEmptyErrors",
    "django.middleware.security.SecurityMiddleware",
    "storage.static_files.StaticFiles",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
# What comes in on the API's port needs of these only the first two and Content-Length: storage/wsgi.py. And a token, if
# there are any; the admin has a login of its own. The services must recognise storage, even when it wants a token.
API_MIDDLEWARE = [
    "statuslog.middleware.InternalTracing",
    "storage.verdicts.TellVerdict",
    "storage.ports.UrlconfByPort",
    "django.middleware.common.CommonMiddleware",
    "statuslog.cross_site.NoOtherOrigins",
    "statuslog.access.NeedToken",
]
ROOT_URLCONF = "storage.urls"
ADMIN_URLCONF = "storage.admin_urls"
WSGI_APPLICATION = "storage.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {"default": postgres.database() if env.text("DATABASE_URL") else sqlite.database(DATA_DIR / "db.sqlite3")}
ATOMIC_REQUESTS = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first, so that a locked account is not even asked for its password
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_COOLOFF_MESSAGE = "This account is locked after 5 wrong passwords. Wait 15 minutes before you try again."
AXES_LOCKOUT_CALLABLE = "storage.errors.locked"
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False  # no banner in the output of every command
# Behind Docker's port every client has the gateway's address: a lock by address would lock out everybody.
AXES_LOCKOUT_PARAMETERS = ["username"]

# Collected by the image's build, or at the first start; a new Django brings new files.
STATIC_ROOT = env.path("STATIC_ROOT", DATA_DIR / f"static-{django.__version__}")
# Under the admin's own path, so that a proxy has one path to hand on.
STATIC_URL = f"{proxy.prefix()}/admin/static/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

APPEND_SLASH = True  # for the admin's own addresses; none of the API's has a slash at its end
X_FRAME_OPTIONS = "DENY"
# A cookie belongs to a host name whatever the port: these names keep two copies on one host apart.
SESSION_COOKIE_NAME = "statuslog_session"
CSRF_COOKIE_NAME = "statuslog_csrf"
# Other programs at the same host name, below other sub-paths, are not to see them.
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = proxy.prefix() or "/"
LOGIN_REDIRECT_URL = "admin:index"  # where a login ends whose `next` leads to another host
CSRF_FAILURE_VIEW = "storage.errors.csrf_failure"

LANGUAGE_CODE = defaults.LANGUAGE_CODE
TIME_ZONE = defaults.TIME_ZONE
USE_TZ = defaults.USE_TZ
FORMAT_MODULE_PATH = "storage.formats"
REST_FRAMEWORK = defaults.REST_FRAMEWORK
SILENCED_SYSTEM_CHECKS = [
    *defaults.SILENCED_SYSTEM_CHECKS,
    "axes.W006",  # asks for the lock by address; see AXES_LOCKOUT_PARAMETERS
]
LOGGING = defaults.logging(SERVICE)
