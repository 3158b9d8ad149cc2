"""`manage_all.sh setup`, in a copy of the script with a lock that asks for nothing: no package is installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.manage_all import SCRIPT, LocalSystem

BASE_PYTHON = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"


@pytest.fixture
def copy(tmp_path: Path) -> LocalSystem:
    """No .venv yet."""
    folder = tmp_path / "a copy"
    shutil.copytree(SCRIPT.parent / "manage", folder / "manage")
    script = Path(shutil.copy(SCRIPT, folder))
    (folder / "requirements.txt").write_text("# nothing\n")
    return LocalSystem(tmp_path / "elsewhere", script=script, STATUSLOG_PYTHON=str(BASE_PYTHON))


def fake(folder: Path, name: str, script: str) -> None:
    """A program of that name, first on a PATH that begins with `folder`."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def path_without_python(folder: Path) -> str:
    """A PATH with all that this machine has but Python."""
    folder.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).glob("*"):
            if not program.name.startswith("python") and not (folder / program.name).is_symlink():
                (folder / program.name).symlink_to(program)
    return str(folder)


def test_it_makes_the_venv_once_and_again_when_the_lock_changes_or_the_folder_moves(copy: LocalSystem, tmp_path: Path):
    first = copy("setup")
    assert first.returncode == 0, first.stderr
    assert "making .venv" in first.stdout
    python = copy.script.parent / ".venv" / "bin" / "python"
    assert subprocess.run([python, "-c", "import sys; assert sys.version_info >= (3, 11)"]).returncode == 0

    again = copy("setup")
    assert (again.returncode, again.stdout) == (0, "")

    (copy.script.parent / "requirements.txt").write_text("# something else\n")
    changed = copy("setup")
    assert (changed.returncode, changed.stdout) == (0, "installing requirements.txt into .venv\n")

    copy.script = copy.script.parent.rename(tmp_path / "moved") / copy.script.name
    assert "making .venv" in copy("setup").stdout


def test_no_python(copy: LocalSystem, tmp_path: Path):
    done = copy("setup", STATUSLOG_PYTHON="", PATH=path_without_python(tmp_path / "bin"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "no Python >= 3.11" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_run_without_python_says_so_too(copy: LocalSystem, tmp_path: Path):
    done = copy("run", "--detach", STATUSLOG_PYTHON="", PATH=path_without_python(tmp_path / "bin"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "no Python >= 3.11" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_old_python_is_passed_over(tmp_path: Path):
    path = path_without_python(tmp_path / "bin")
    fake(tmp_path / "bin", "python3", "exit 1 # what an older one says when asked whether it is 3.11")
    fake(tmp_path / "bin", "python3.12", f'exec "{BASE_PYTHON}" "$@"')
    command = ["bash", "-c", 'source "$1"; find_python', "-", str(SCRIPT)]
    done = subprocess.run(command, env={"PATH": path}, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("python3.12\n", "")


def test_a_python_without_ensurepip(copy: LocalSystem, tmp_path: Path):
    without = f'case "$2" in *ensurepip*) exit 1 ;; esac; exec "{BASE_PYTHON}" "$@"'
    fake(tmp_path / "bin", "python3", without)
    done = copy("setup", STATUSLOG_PYTHON=str(tmp_path / "bin" / "python3"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "apt-get install python3-venv" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_named_python_must_be_one(copy: LocalSystem):
    done = copy("setup", STATUSLOG_PYTHON="/bin/true-not")
    assert done.returncode == 1
    assert "STATUSLOG_PYTHON=" in done.stderr


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("NAME=plain", "plain"),
        ("export NAME=plain", "plain"),
        ("NAME=two words  # why", "two words"),
        ("NAME=a#b", "a#b"),
        ('NAME="quoted # not a comment" # this is', "quoted # not a comment"),
        ("NAME='$(touch ran) `touch ran` $HOME'", "$(touch ran) `touch ran` $HOME"),
        ("NAME=$(touch ran)", "$(touch ran)"),
        ("NAME=crlf\r", "crlf"),
        ("\ufeffNAME=marked", "marked"),
        ('\ufeffNAME="marked"\r', "marked"),
        ("\ufeff\r\nNAME=second\r", "second"),
        ("# NAME=comment", "unset"),
        ("NAME=", ""),
        ("SET=file", "unset"),
    ],
)
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_the_env_file_is_read_and_never_run(tmp_path: Path, line: str, value: str, locale: str):
    (tmp_path / ".env").write_text(f"{line}\n", newline="")
    script = 'source "$1"; read_dotenv; printf "%s/%s" "${NAME-unset}" "$SET"'
    done = subprocess.run(
        ["bash", "-c", script, "-", SCRIPT],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "SET": "environment", "LC_ALL": locale},
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == (f"{value}/environment", "")
    assert not (tmp_path / "ran").exists()


def assert_it_needs_linux_and_a_newer_bash(done: "subprocess.CompletedProcess[str]") -> None:
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert line.startswith("manage_all.sh: needs Linux with bash 4.4 or newer; elsewhere use Docker")


@pytest.mark.parametrize("version", ["3.2.57(1)-release", "4.3.48(1)-release", ""])
def test_an_old_shell_says_what_is_needed(version: str):
    # dash knows nothing that bash 3.2 does not know, and keeps the version that it is given.
    environment = {"PATH": os.environ["PATH"], "BASH_VERSION": version}
    done = subprocess.run(["dash", SCRIPT, "help"], env=environment, capture_output=True, text=True)
    assert_it_needs_linux_and_a_newer_bash(done)


def test_another_system_than_linux_says_what_is_needed(copy: LocalSystem, tmp_path: Path):
    fake(tmp_path / "bin", "uname", "echo Darwin")
    assert_it_needs_linux_and_a_newer_bash(copy("help", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}"))


def test_a_python_of_32_bits_is_not_taken(copy: LocalSystem, tmp_path: Path):
    # It is the real one, but for the size of its largest number.
    script = (
        f'[ "$1" != -c ] || exec {BASE_PYTHON} -c "import sys; sys.maxsize = 2**31 - 1; $2"; exec {BASE_PYTHON} "$@"'
    )
    fake(tmp_path / "bin", "python-32", script)
    done = copy("setup", STATUSLOG_PYTHON=str(tmp_path / "bin" / "python-32"))
    assert done.returncode == 1
    assert "no Python >= 3.11 of 64 bits" in done.stderr
