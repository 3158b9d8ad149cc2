"""What the tests of storage share."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from pytest_django import Settings

from logs.models import LogRecord
from statuslog.record import LineStyle, Measurement, Record, make

MOMENT = datetime(2025, 9, 26, 16, 45, 6, 123456, tzinfo=UTC)
MEASURED = Measurement(
    host_uptime_seconds=32065.2,
    container_uptime_seconds=3600.0,
    disk_free_bytes=37_966_420_213,
    disk_total_bytes=100_000_000_000,
)


@pytest.fixture(autouse=True)
def plain_static_files(settings: Settings) -> None:
    """Names without a hash, so that no test has to collect the static files first."""
    kind = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": kind}}


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    """Hashed once, not a million times."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def record() -> Record:
    return make(service="service1", instance="host-a", timestamp=MOMENT, measurement=MEASURED, style=LineStyle())


@pytest.fixture
def post(client: Client) -> Callable[..., Any]:
    """Post a body as a client does, `text/plain` unless told otherwise; `key` is the Idempotency-Key."""

    def post(body: str | bytes, content_type: str = "text/plain", key: object = None, **headers: str) -> Any:
        if key is not None:
            headers["Idempotency-Key"] = str(key)
        data = body.encode() if isinstance(body, str) else body
        return client.post("/log", data, content_type, headers=headers, CONTENT_LENGTH=str(len(data)))

    return post


@pytest.fixture
def lines() -> Callable[[], list[str]]:
    """The log's lines in its order."""
    return lambda: list(LogRecord.objects.values_list("line", flat=True))


class PortClient(Client):
    """A client of the listening port `port`."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = str(port)

    def generic(self, *args: Any, **extra: Any) -> Any:
        return super().generic(*args, **{"SERVER_PORT": self._port, **extra})


@pytest.fixture
def admin(db: None, settings: Settings) -> Client:
    """An admin's browser, on the admin's port."""
    client = PortClient(settings.ADMIN_PORT)
    client.force_login(get_user_model().objects.create_superuser("root"))
    return client
