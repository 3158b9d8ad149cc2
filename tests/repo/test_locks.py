"""The locks: nothing is installed that was not seen before, from wherever the machine gets its packages."""

import re
import tomllib
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement

from tests.processes import ROOT

LOCKS = ["requirements.txt", "requirements-otel.txt", "requirements-dev.txt"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def entries(lock: str) -> list[str]:
    """The requirements of a lock, each on one line."""
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def pins(lock: str) -> dict[str, str]:
    """Package name -> version."""
    found = re.findall(r"^([^\s\[]+)(?:\[[^\]]*\])?==(\S+)", "\n".join(entries(lock)), re.M)
    return {name.lower(): version for name, version in found}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_and_has_a_hash(lock: str):
    assert len(entries(lock)) > 5
    wrong = [entry for entry in entries(lock) if not re.match(r"\S+(, \S+)*==\S+ .*--hash=sha256:[0-9a-f]{64}", entry)]
    assert not wrong


def test_a_package_is_pinned_with_the_extras_that_others_ask_of_it():
    """pip before 23.3, such as Python 3.11 brings, sees no pin of `coverage[toml]` in `coverage==7.17.3`: it
    takes the newest one, and refuses it, as the lock has no hash of that."""
    pinned = [Requirement(re.split(" ;| --", entry)[0]) for entry in entries(LOCKS[-1])]
    locked = {wanted.name: wanted for wanted in pinned}
    asked: list[Requirement] = []
    for name in locked:
        with suppress(PackageNotFoundError):  # it is for another Python or system
            asked += map(Requirement, requires(name) or [])
    asked = [
        wanted for wanted in asked if wanted.extras and wanted.name in locked and "extra" not in str(wanted.marker)
    ]
    assert "coverage" in {wanted.name for wanted in asked}
    assert [str(wanted) for wanted in asked if not wanted.extras <= locked[wanted.name].extras] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_an_index(lock: str):
    assert re.findall(r"--(?:extra-)?index-url|--find-links|--trusted-host|://", (ROOT / lock).read_text()) == []


def test_each_lock_contains_the_one_before():
    assert pins("requirements.txt").items() < pins("requirements-otel.txt").items()
    assert pins("requirements-otel.txt").items() < pins("requirements-dev.txt").items()


def test_the_locks_are_what_pyproject_asks_for():
    development = pins("requirements-dev.txt")
    for wanted in map(Requirement, PROJECT["project"]["dependencies"]):
        assert wanted.specifier.contains(pins("requirements.txt")[wanted.name]), wanted
    for wanted in map(Requirement, PROJECT["project"]["optional-dependencies"]["otel"]):
        assert wanted.specifier.contains(pins("requirements-otel.txt")[wanted.name]), wanted
    for wanted in map(Requirement, PROJECT["dependency-groups"]["dev"]):
        assert wanted.specifier.contains(development[wanted.name]), wanted


def test_what_exports_spans_is_an_extra():
    assert not [name for name in pins("requirements.txt") if name.startswith("opentelemetry")]


def test_images_are_free_of_what_only_development_needs():
    only_for_development = {"pytest", "mypy", "ruff", "playwright", "schemathesis", "drf-spectacular", "jsonschema"}
    assert not only_for_development & pins("requirements.txt").keys()
