"""Imports go one way: the services use statuslog, statuslog uses no service, no service uses another."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import ROOT
from tests.repo.tracked import python_files

# The packages that each folder is the home of.
HOME = {
    "service1": {"service1"},
    "service2": {"service2"},
    "storage": {"storage", "logs"},
    "statuslog": {"statuslog"},
}
# The part of statuslog that is about Django; the rest could be used by a program without it.
MAY_USE_DJANGO = (
    "access.py",
    "compression.py",
    "command.py",
    "cross_site.py",
    "database.py",
    "exposition.py",
    "handler.py",
    "health.py",
    "middleware.py",
    "refusals.py",
    "rest.py",
    "schema.py",
    "serve.py",
    "outbox",
    "sqlite",
)
DJANGO = {"django", "rest_framework"}


def imported(path: Path) -> Iterator[str]:
    """The first name of every import in the file, wherever in it that stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.partition(".")[0]


def test_the_homes_are_complete():
    for folder, packages in HOME.items():
        assert python_files(folder)
        if folder != "statuslog":
            found = {path.relative_to(ROOT).parts[1] for path in python_files(folder)} - {"manage.py"}
            assert found == packages


@pytest.mark.parametrize("folder", HOME)
def test_a_folder_imports_no_other_but_statuslog(folder: str):
    strangers = set().union(*HOME.values()) - HOME[folder] - {"statuslog"}
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in python_files(folder)
        for name in imported(path)
        if name in strangers | {"tests", "manage", "openapi", "drf_spectacular"}
    }
    assert not wrong


def test_statuslog_uses_django_in_few_places():
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in python_files("statuslog")
        for name in imported(path)
        if name in DJANGO and path.relative_to(ROOT / "statuslog").parts[0] not in MAY_USE_DJANGO
    }
    assert not wrong
