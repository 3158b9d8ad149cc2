"""Django settings that are the same in the three services. Plain values: importing them starts nothing."""

from typing import Any

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


def logging(level: str) -> dict[str, Any]:
    """Everything on standard error, where Docker and `manage_all.sh logs` find it."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level.upper()},
        # Without this Django writes 5xx of DEBUG=0 to a mail that nobody reads.
        "loggers": {"django": {"handlers": [], "propagate": True}},
    }
