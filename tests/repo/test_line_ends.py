"""A clone has the same bytes everywhere, also with core.autocrlf=true, which git for Windows sets."""

import subprocess
from pathlib import Path

import pytest

from tests.processes import ROOT
from tests.repo.tracked import tracked_files

STORED = b"a line\n"


def git(folder: Path, *arguments: str) -> bytes:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    return subprocess.run(["git", *identity, "-C", folder, *arguments], check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone as on Windows, of what the working tree holds."""
    origin, made = (tmp_path_factory.mktemp(name) for name in ("origin", "clone"))
    git(origin, "init", "--quiet")
    for path in tracked_files():
        (origin / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        (origin / path.relative_to(ROOT)).write_bytes(path.read_bytes())
    (origin / "vstorage").write_bytes(STORED)
    git(origin, "add", "--all")
    git(origin, "commit", "--quiet", "--message=all")
    git(made, "clone", "--quiet", "--config", "core.autocrlf=true", str(origin), ".")
    return made


def test_each_file_has_the_bytes_that_it_has_here(clone: Path):
    files = [path.relative_to(ROOT) for path in tracked_files() if path.name != "vstorage"]
    assert len(files) > 100
    assert [file for file in files if (clone / file).read_bytes() != (ROOT / file).read_bytes()] == []


def test_git_changes_no_byte_of_vstorage(clone: Path):
    assert (clone / "vstorage").read_bytes() == STORED
    (clone / "vstorage").write_bytes(b"a line\r\nand another\r\n")
    git(clone, "add", "vstorage")
    assert git(clone, "show", ":vstorage") == b"a line\r\nand another\r\n"
