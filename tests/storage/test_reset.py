"""`manage.py reset`: empty the log."""

from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from logs.models import LogRecord

pytestmark = [pytest.mark.django_db, pytest.mark.urls("storage.urls")]


@pytest.fixture(autouse=True)
def three_records(post) -> None:
    post("a\nb\nc")


def reset(*arguments: str) -> str:
    out = StringIO()
    call_command("reset", *arguments, stdout=out)
    return out.getvalue()


def test_yes_deletes_all_records():
    assert reset("--yes") == "deleted 3 records of the log\n"
    assert not LogRecord.objects.exists()


def test_users_stay():
    get_user_model().objects.create_superuser("root")
    reset("--yes")
    assert get_user_model().objects.exists()


def test_an_empty_log_can_be_emptied():
    reset("--yes")
    assert reset("--yes") == "deleted 0 records of the log\n"


@pytest.mark.parametrize("answer", ["", "n", "yes please", "j"])
def test_anything_but_y_deletes_nothing(monkeypatch: pytest.MonkeyPatch, answer: str):
    monkeypatch.setattr("builtins.input", lambda question: answer)
    with pytest.raises(CommandError, match="nothing was deleted"):
        reset()
    assert LogRecord.objects.count() == 3


@pytest.mark.parametrize("answer", ["y", "Y"])
def test_y_deletes(monkeypatch: pytest.MonkeyPatch, answer: str):
    asked = []

    def ask(question: str) -> str:
        asked.append(question)
        return answer

    monkeypatch.setattr("builtins.input", ask)
    reset()
    assert "3 records" in asked[0]
    assert not LogRecord.objects.exists()
