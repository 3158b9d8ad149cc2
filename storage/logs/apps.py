"""The app's settings."""

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate

from statuslog.sqlite import set_auto_vacuum, set_write_ahead_log


class LogsConfig(AppConfig):
    name = "logs"
    verbose_name = "Log"

    def ready(self) -> None:
        pre_migrate.connect(_set_auto_vacuum, sender=self)
        post_migrate.connect(_set_write_ahead_log, sender=self)


def _set_auto_vacuum(using: str, **_: Any) -> None:
    set_auto_vacuum(connections[using])


def _set_write_ahead_log(using: str, **_: Any) -> None:
    set_write_ahead_log(connections[using])
