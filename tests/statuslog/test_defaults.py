"""Settings that are the same in the three services."""

import pytest

from statuslog import defaults

OWN = ["service1", "localhost", "127.0.0.1", "[::1]"]


def test_without_a_setting_the_default_is_answered_to(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DJANGO_ALLOWED_HOSTS", raising=False)
    assert defaults.allowed_hosts("service1", "*") == ["*", *OWN]
    assert defaults.allowed_hosts("service1") == OWN


def test_health_checks_and_commands_are_answered_whatever_is_set(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DJANGO_ALLOWED_HOSTS", "status.example.org")
    assert defaults.allowed_hosts("service1", "*") == ["status.example.org", *OWN]
