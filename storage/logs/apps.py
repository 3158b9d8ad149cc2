"""The app's settings."""

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate

from statuslog.sqlite import set_write_ahead_log


class LogsConfig(AppConfig):
    name = "logs"
    verbose_name = "Log"

    def ready(self) -> None:
        post_migrate.connect(_set_write_ahead_log, sender=self)


def _set_write_ahead_log(using: str, **_: Any) -> None:
    set_write_ahead_log(connections[using])
