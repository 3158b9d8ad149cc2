"""README and .env.example name everything that can be set and every command."""

import ast
import re

import pytest

from tests.processes import ROOT
from tests.repo.tracked import python_files, shell_scripts

# What the code reads and no user is to set.
INTERNAL = {
    "STATIC_ROOT",  # where the build of storage's image has put the admin's static files
    "PROMETHEUS_MULTIPROC_DIR",  # where the processes of a service count: serve.py
    "STATUSLOG_RUN",  # how `run --stop` knows its own processes
    "STATUSLOG_REQUIRE_ALL",  # for CI: CONTRIBUTING.md
    "STATUSLOG_THOROUGH",  # likewise
    *("NO_COLOR", "PYTHONPATH", "TERM"),  # not ours
}
READERS = {
    *("text", "choice", "content", "integer", "size", "size_or_share"),
    *("flag", "csv", "path", "url", "bind", "address"),
}
NAME = r"[A-Z][A-Z0-9_]+"


def read_by_python() -> set[str]:
    """The constant first arguments of the readers in statuslog/env.py, wherever they are called."""
    names = set()
    for path in python_files("statuslog", "service1", "service2", "storage"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)):
                continue
            reader = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            name = node.args[0].value
            if reader in READERS and isinstance(name, str) and re.fullmatch(NAME, name):
                names.add(name)
    return names


def read_by_shell() -> set[str]:
    """What a script has a default for, or asks whether it is set: ${NAME:-...}, ${NAME:=...}, ${NAME:+...}."""
    scripts = [path for path in shell_scripts() if ".ci" not in path.parts]
    return {name for path in scripts for name in re.findall(rf"\$\{{({NAME}):?[-=+?]", path.read_text())}


def read_by_compose() -> set[str]:
    """${NAME...}, and the names without a value that are handed on from the shell or from .env."""
    text = "".join(path.read_text() for path in ROOT.glob("docker-compose*.yml"))
    return set(re.findall(rf"\$\{{({NAME})", text)) | set(re.findall(rf"^ +({NAME}):$", text, re.MULTILINE))


def settings() -> set[str]:
    return (read_by_python() | read_by_shell() | read_by_compose()) - INTERNAL


def commands() -> list[str]:
    return re.findall(r"^cmd_(\w+)\(\)", (ROOT / "manage_all.sh").read_text(), re.MULTILINE)


def test_the_readers_are_found():
    assert {"MAX_BODY_BYTES", "DATA_DIR", "STORAGE_URL", "BIND"} <= read_by_python()
    assert {"SERVICE2_PORT", "STATUSLOG_PYTHON"} <= read_by_shell()
    assert {"PYTHON_IMAGE", "SERVICE1_PORT", "DJANGO_SUPERUSER_PASSWORD"} <= read_by_compose()
    assert {"help", "run", "reset"} <= set(commands())


def test_no_variable_is_read_past_env_py():
    wrong = [
        str(path.relative_to(ROOT))
        for path in python_files("statuslog", "service1", "service2", "storage")
        if re.search(r"os\.(environ(?!\.setdefault\(\"DJANGO_SETTINGS_MODULE)|getenv)", path.read_text())
        and path != ROOT / "statuslog" / "env.py"
    ]
    assert not wrong


@pytest.mark.parametrize("document", ["README.md", ".env.example"])
def test_every_setting_is_in(document: str):
    named = set(re.findall(NAME, (ROOT / document).read_text()))
    assert settings() - named == set()


def test_the_example_sets_nothing_that_nothing_reads():
    example = (ROOT / ".env.example").read_text()
    assert set(re.findall(rf"^#? ?({NAME})=", example, re.MULTILINE)) - settings() == set()


def test_every_command_is_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    missing = [name for name in commands() if not re.search(rf"(manage_all\.sh |`){name}\b", readme)]
    assert not missing
