"""DATABASE_URL: what it may say, and what becomes of it."""

from pathlib import Path

import pytest

from statuslog.env import EnvError
from storage import postgres


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "DATABASE_URL", "postgres://storage:p%40ss@db.example:5433/log?sslmode=require&options=-c%20a%3Db"
    )


def test_the_parts_of_the_address(url: None):
    database = postgres.database()
    names = ("ENGINE", "USER", "PASSWORD", "HOST", "PORT", "NAME")
    assert [database[name] for name in names] == ["storage.postgres", "storage", "p@ss", "db.example", 5433, "log"]
    assert database["OPTIONS"]["sslmode"] == "require"


def test_what_the_address_says_is_the_last_word(url: None, monkeypatch: pytest.MonkeyPatch):
    assert postgres.database()["OPTIONS"]["options"].endswith(" -c a=b")
    monkeypatch.setenv("DATABASE_URL", "postgres://storage@db/log?connect_timeout=9")
    assert postgres.database()["OPTIONS"]["connect_timeout"] == 9


def test_the_password_of_a_file(url: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "password").write_text("from the file\n")
    monkeypatch.setenv("DATABASE_PASSWORD_FILE", str(tmp_path / "password"))
    assert postgres.database()["PASSWORD"] == "from the file"
    monkeypatch.setenv("DATABASE_PASSWORD_FILE", str(tmp_path / "none"))
    with pytest.raises(EnvError, match=r"DATABASE_PASSWORD_FILE=.*: the file cannot be read"):
        postgres.database()


@pytest.mark.parametrize(
    "wrong",
    [
        "postgres://",
        "postgres://user:secret@host/",
        "postgres://user:secret@host:port/name",
        "mysql://user:secret@host/name",
        "sqlite:///secret",
        "secret",
    ],
)
def test_what_is_no_address_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, wrong: str):
    monkeypatch.setenv("DATABASE_URL", wrong)
    with pytest.raises(EnvError, match="DATABASE_URL='…': set it to an address such as postgres://") as refused:
        postgres.database()
    assert "secret" not in str(refused.value)


def test_only_who_answers_requests_has_a_pool_and_a_limit_for_statements(url: None):
    database = postgres.database()
    assert "pool" not in database["OPTIONS"]
    postgres.serve(database)
    assert database["OPTIONS"]["pool"]["max_size"] == 20
    assert "-c statement_timeout=20s " in database["OPTIONS"]["options"]
    assert database["OPTIONS"]["options"].endswith(" -c a=b")
    other = {"ENGINE": "statuslog.sqlite", "OPTIONS": {}}
    postgres.serve(other)
    assert other == {"ENGINE": "statuslog.sqlite", "OPTIONS": {}}
