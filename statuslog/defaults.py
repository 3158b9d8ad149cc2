"""Django settings that are the same in the three services. Plain values: importing them starts nothing."""

from typing import Any

from statuslog import env

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

REST_FRAMEWORK: dict[str, Any] = {
    "UNAUTHENTICATED_USER": None,  # without it DRF imports django.contrib.auth for every request
    "URL_FORMAT_OVERRIDE": "format",
}

SILENCED_SYSTEM_CHECKS = [
    # The services speak plain HTTP on internal networks and on 127.0.0.1; TLS is the work of a proxy.
    "security.W004",  # HSTS
    "security.W008",  # redirect to HTTPS
    "security.W012",  # session cookie over HTTPS only: the admin is published on 127.0.0.1
    "security.W016",  # CSRF cookie, likewise
]


def allowed_hosts(service: str, default: str = "") -> list[str]:
    """The host names that the service answers to: DJANGO_ALLOWED_HOSTS, or `default` if that is not set.

    The names that health checks, the other services and commands on this host use are always among them.
    """
    return [*env.csv("DJANGO_ALLOWED_HOSTS", default), service, "localhost", "127.0.0.1", "[::1]"]


def logging(service: str) -> dict[str, Any]:
    """The configuration of Python's logging, gunicorn's events included. Raises EnvError."""
    level = env.choice("LOG_LEVEL", "info", ("debug", "info", "warning", "error"))
    # serve.sh makes JSON the default of a service; a command or runserver is looked at by who has started it.
    form = {"text": "TextLine", "json": "JSONLine"}[env.choice("LOG_FORMAT", "text", ("text", "json"))]
    inherited = {"handlers": [], "propagate": True, "level": "NOTSET"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": f"statuslog.events.{form}", "service": service}},
        "handlers": {"output": {"class": "statuslog.events.Output", "formatter": "line"}},
        "root": {"handlers": ["output"], "level": level.upper()},
        "loggers": {
            "gunicorn.error": inherited,
            # Without this Django writes 5xx of DEBUG=0 to a mail that nobody reads.
            "django": inherited,
            # A 4xx is an event of the middleware's already; of a 5xx this has the stack.
            "django.request": {**inherited, "level": "ERROR"},
            # Its own lines at LOG_LEVEL=debug show whole addresses, with what somebody has asked for.
            "urllib3": {**inherited, "level": "INFO"},
        },
    }
