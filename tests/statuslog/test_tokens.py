"""API_TOKENS: which are taken, what each allows, and that no text shows one."""

from pathlib import Path

import pytest

from statuslog import tokens
from statuslog.env import EnvError

READING, WRITING = "read-0123456789abcdef", "write-0123456789abcde"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch):
    """Sets API_TOKENS, and gives what is made of it."""

    def set_to(text: str) -> tuple[tokens.Token, ...]:
        monkeypatch.setenv("API_TOKENS", text)
        return tokens.of_environment()

    return set_to


def test_without_a_setting_there_are_none(given):
    assert given("") == ()
    assert tokens.of_the_services() == {}


def test_what_a_token_allows(given):
    known = given(f"read:{READING}, write:{WRITING}")
    assert tokens.access_with(READING, known) == "read"
    assert tokens.access_with(WRITING, known) == "write"
    for wrong in ("", READING[:-1], READING + "x", READING.upper(), f"read:{READING}", "\udcff" * 20, "ä" * 20):
        assert tokens.access_with(wrong, known) is None


def test_every_token_is_compared(given, monkeypatch: pytest.MonkeyPatch):
    """Whichever fits: who measures the time learns nothing."""
    known = given(f"write:{WRITING},read:{READING},read:{READING}2")
    compared: list[bytes] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return one == other

    monkeypatch.setattr("hmac.compare_digest", compare)
    assert tokens.access_with(WRITING, known) == "write"
    assert len(compared) == 3


def test_the_services_use_the_first_that_may_write(given):
    given(f"read:{READING},write:{WRITING},write:{WRITING}2")
    assert tokens.of_the_services() == {"Authorization": f"Bearer {WRITING}"}


def test_tokens_from_a_file(given, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    file = tmp_path / "tokens"
    file.write_text(f"read:{READING}\nwrite:{WRITING}\n")
    monkeypatch.setenv("API_TOKENS_FILE", str(file))
    assert [token.access for token in given("")] == ["read", "write"]
    assert [token.access for token in given(f"write:{WRITING}")] == ["write"]


@pytest.mark.parametrize("content", ["", "\n", " , "])
def test_a_file_without_tokens_opens_nothing(given, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str):
    file = tmp_path / "tokens"
    file.write_text(content)
    monkeypatch.setenv("API_TOKENS_FILE", str(file))
    with pytest.raises(EnvError, match=r"^API_TOKENS_FILE=.*no token may write"):
        given("")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (",", "no token may write"),
        (f"read:{READING}", "no token may write"),
        (WRITING, "token 1: write it as read:TOKEN or write:TOKEN"),
        (f"admin:{WRITING}", "token 1: write it as"),
        ("write:", "token 1 is shorter than 16 characters"),
        (f"write:{WRITING},read:short-secret", "token 2 is shorter than 16 characters"),
        ("write:0101010101010101", "token 1 has fewer than 6 different characters"),
        (f"write:{WRITING}:x", "token 1 has other characters than"),
        (f"write:{WRITING},read:{WRITING}", "token 2 is there twice"),
    ],
)
def test_what_is_refused_and_never_shown(given, text: str, said: str):
    with pytest.raises(EnvError) as error:
        given(text)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    for secret in (WRITING, READING, "short-secret", "0101010101010101"):
        assert secret not in str(error.value)


def test_a_token_does_not_show_itself(given):
    assert WRITING not in repr(given(f"write:{WRITING}"))
