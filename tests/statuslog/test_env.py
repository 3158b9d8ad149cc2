"""Environment variables: what is taken, and how nonsense is refused."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from statuslog import env
from statuslog.env import EnvError
from statuslog.quantities import Share
from tests.quantities import NO_SIZES, SIZES


@pytest.fixture
def value(monkeypatch: pytest.MonkeyPatch):
    """Sets the variable THING."""

    def set_to(text: str) -> None:
        monkeypatch.setenv("THING", text)

    monkeypatch.delenv("THING", raising=False)
    return set_to


def refused(call, *words: str) -> None:
    """The error names the variable and its value, and says what to write."""
    with pytest.raises(EnvError) as error:
        call()
    assert str(error.value).startswith("THING='")
    assert all(word in str(error.value) for word in words), error.value


def test_unset_and_empty_both_mean_the_default(value):
    assert env.text("THING", "default") == "default"
    value("")
    assert env.text("THING", "default") == "default"


def test_a_choice(value):
    value("b")
    assert env.choice("THING", "a", ("a", "b")) == "b"
    value("c")
    refused(lambda: env.choice("THING", "a", ("a", "b")), "'c'", "a, b")


def test_an_integer(value):
    assert env.integer("THING", 7) == 7
    value("0")
    assert env.integer("THING", 7) == 0


@pytest.mark.parametrize("text", ["-1", "1.5", "1e3", "0x10", "many", " 1", "1_000", "\u0661"])
def test_what_is_not_a_whole_number_is_refused(value, text: str):
    value(text)
    refused(lambda: env.integer("THING", 7), "a whole number, 0 or more")


def test_an_integer_below_the_minimum_is_refused(value):
    value("0")
    refused(lambda: env.integer("THING", 7, minimum=1), "1 or more")


@pytest.mark.parametrize(("text", "meant"), SIZES.items())
def test_a_size(value, text: str, meant: int):
    value(text)
    assert env.size("THING", 7) == env.size_or_share("THING", 7) == meant


@pytest.mark.parametrize("text", NO_SIZES[1:])
def test_what_is_no_size_is_refused(value, text: str):
    value(text)
    refused(lambda: env.size("THING", 7), "set it to a number of bytes", "500M")


def test_the_default_of_a_size(value):
    assert env.size("THING", 7) == env.size_or_share("THING", 7) == 7


def test_a_size_below_the_minimum_is_refused(value):
    value("0K")
    refused(lambda: env.size("THING", 7, minimum=1), "500M", "1 or more")


def test_a_share(value):
    value("5%")
    assert env.size_or_share("THING", 7) == Share(Fraction(5))
    refused(lambda: env.size("THING", 7), "a number of bytes")
    value("101%")
    refused(lambda: env.size_or_share("THING", 7), "such as 5%")


def test_a_flag_is_0_or_1(value):
    assert env.flag("THING") is False
    value("1")
    assert env.flag("THING") is True
    value("true")
    refused(lambda: env.flag("THING"), "'true'", "0, 1")


def test_a_list_is_separated_by_commas(value):
    assert env.csv("THING") == []
    value(" a, b,,c ,")
    assert env.csv("THING") == ["a", "b", "c"]


def test_a_relative_path_is_taken_from_the_current_folder(value, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    value("a/b")
    assert env.path("THING", Path("/x")) == tmp_path / "a" / "b"


@pytest.mark.parametrize("text", ["http://storage:8000", "http://127.0.0.1:8202/", "https://[::1]:1"])
def test_an_address(value, text: str):
    value(text)
    assert env.url("THING", "http://x") == text.rstrip("/")


@pytest.mark.parametrize("text", ["storage:8000", "ftp://storage", "http://", "http://a/log", "http://a?b", "//a"])
def test_what_is_not_the_address_of_a_service_is_refused(value, text: str):
    value(text)
    refused(lambda: env.url("THING", "http://x"), "such as http://127.0.0.1:8202")


@pytest.fixture
def no_key(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("DJANGO_SECRET_KEY")
    return monkeypatch


def test_a_secret_key_is_made_once_and_only_its_owner_reads_it(no_key, tmp_path: Path):
    folder = tmp_path / "data" / "service1"
    key = env.secret_key(folder)
    assert len(key) >= 50
    assert env.secret_key(folder) == key
    assert (folder / "secret_key").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in folder.iterdir()] == ["secret_key"]


def test_two_folders_have_two_keys(no_key, tmp_path: Path):
    assert env.secret_key(tmp_path / "a") != env.secret_key(tmp_path / "b")


def test_processes_that_start_together_agree_on_one_key(no_key, tmp_path: Path):
    code = "import sys, pathlib; from statuslog import env; print(env.secret_key(pathlib.Path(sys.argv[1])))"
    command = [sys.executable, "-c", code, str(tmp_path / "new")]
    together = [subprocess.Popen(command, cwd=env.ROOT, stdout=subprocess.PIPE) for _ in range(6)]
    assert len({process.communicate()[0] for process in together}) == 1
    assert all(process.returncode == 0 for process in together)


def test_the_variable_comes_before_the_file(no_key, tmp_path: Path):
    no_key.setenv("DJANGO_SECRET_KEY", "given")
    assert env.secret_key(tmp_path) == "given"
    assert list(tmp_path.iterdir()) == []


def test_a_key_from_a_named_file(no_key, tmp_path: Path):
    (tmp_path / "key").write_text("from a file\n")
    no_key.setenv("DJANGO_SECRET_KEY_FILE", str(tmp_path / "key"))
    assert env.secret_key(tmp_path / "unused") == "from a file"


def test_a_named_file_that_is_missing_is_not_made(no_key, tmp_path: Path):
    no_key.setenv("DJANGO_SECRET_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(EnvError, match=r"^DJANGO_SECRET_KEY_FILE=.*No such file"):
        env.secret_key(tmp_path)


def test_an_empty_key_file_is_refused(no_key, tmp_path: Path):
    (tmp_path / "secret_key").write_text("\n")
    with pytest.raises(EnvError, match="the file is empty"):
        env.secret_key(tmp_path)


def test_a_folder_that_cannot_be_made_names_data_dir(no_key, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(EnvError, match=r"^DATA_DIR=.*Not a directory"):
        env.secret_key(tmp_path / "file" / "service1")
