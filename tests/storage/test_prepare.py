"""`manage.py prepare`: what has to be done before storage can start."""

from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from pytest_django import Settings

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def collected(settings: Settings, tmp_path: Path) -> Path:
    """Static files that count as collected; without them each test would collect all of the admin's."""
    settings.STATIC_ROOT = tmp_path
    (tmp_path / "staticfiles.json").write_text("{}")
    return tmp_path


@pytest.fixture
def superuser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_USERNAME", "root")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "secret")
    monkeypatch.setenv("DJANGO_SUPERUSER_EMAIL", "root@example.org")


def prepare() -> str:
    out = StringIO()
    call_command("prepare", stdout=out)
    return out.getvalue()


def test_without_variables_there_is_no_user():
    prepare()
    assert not get_user_model().objects.exists()


def test_the_first_admin_comes_from_the_variables(superuser: None):
    assert "made the admin root" in prepare()
    user = get_user_model().objects.get()
    assert user.is_superuser
    assert user.check_password("secret")
    assert user.email == "root@example.org"


def test_an_admin_who_is_there_keeps_the_password(superuser: None, monkeypatch: pytest.MonkeyPatch):
    prepare()
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "other")
    assert "made" not in prepare()
    assert get_user_model().objects.get().check_password("secret")


@pytest.mark.parametrize("missing", ["USERNAME", "PASSWORD"])
def test_a_name_or_a_password_alone_makes_nobody(superuser: None, monkeypatch: pytest.MonkeyPatch, missing: str):
    monkeypatch.delenv(f"DJANGO_SUPERUSER_{missing}")
    prepare()
    assert not get_user_model().objects.exists()


def test_the_password_is_not_printed(superuser: None, capfd: pytest.CaptureFixture[str]):
    printed = prepare()
    assert "secret" not in printed + "".join(capfd.readouterr())


def test_static_files_are_collected_once(settings: Settings, collected: Path):
    (collected / "staticfiles.json").unlink()
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }
    settings.STATICFILES_FINDERS = []  # none to collect: the manifest is what counts
    prepare()
    made = (collected / "staticfiles.json").stat().st_mtime_ns
    prepare()
    assert (collected / "staticfiles.json").stat().st_mtime_ns == made
