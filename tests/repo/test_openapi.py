"""The OpenAPI documents in the repository are what the code says now, valid, and written without a warning."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from statuslog.access import OPEN
from tests.processes import ROOT, clean_environment

SERVICES = ("service1", "service2", "storage")


def openapi(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "openapi", *arguments], cwd=root, env=clean_environment(), capture_output=True, text=True
    )


def test_the_documents_are_current_and_nothing_is_warned_of():
    done = openapi(ROOT, "--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("service", SERVICES)
def test_what_wants_a_token_says_what_comes_without_one(service: str):
    paths = json.loads((ROOT / service / service / "openapi.json").read_text())["paths"]
    wanting = {path for path, found in paths.items() if any("401" in one["responses"] for one in found.values())}
    assert paths.keys() - wanting == OPEN


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of the code, to be changed."""
    for name in (*SERVICES, "statuslog", "openapi"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_a_changed_record_makes_them_old_until_they_are_written(clone: Path):
    record = clone / "statuslog/record.py"
    field = "    disk_total_bytes: int | None = _json(_read_bytes, default=None)\n"
    record.write_text(record.read_text().replace(field, f"{field}{field.replace('disk_total_bytes', 'swap_bytes')}"))
    done = openapi(clone, "--check")
    assert done.returncode == 1
    assert done.stderr == (
        "not what the code says: openapi.json of service1, service2, storage; ./manage_all.sh schema writes them\n"
    )
    assert openapi(clone).returncode == 0
    assert openapi(clone, "--check").returncode == 0
    schema = json.loads((clone / "storage/storage/openapi.json").read_text())
    assert "swap_bytes" in schema["components"]["schemas"]["Record"]["properties"]


def test_an_endpoint_that_nobody_described_is_a_warning_and_so_an_error(clone: Path):
    urls = clone / "storage/storage/urls.py"
    urls.write_text(urls.read_text().replace("LogView", "NewView").replace("logs.views", "logs.new"))
    (clone / "storage/logs/new.py").write_text(
        "from statuslog.rest import View\n\n\nclass NewView(View):\n    def get(self, request):\n        return None\n"
    )
    done = openapi(clone)
    assert done.returncode == 1
    assert "NewView" in done.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_every_error_is_described_as_text_and_as_a_problem(service: str):
    paths = json.loads((ROOT / service / service / "openapi.json").read_text())["paths"]
    found = {
        (method, path, code): set(answer["content"])
        for path, operations in paths.items()
        for method, operation in operations.items()
        for code, answer in operation["responses"].items()
        if code >= "400"
    }
    partial = {
        ("get", "/status", "502"),
        ("get", "/status", "504"),
        ("get", "/readyz", "503"),
    }  # an answer all the same
    assert len(found) > 4
    for where, forms in found.items():
        if where not in partial:
            assert forms == {"text/plain", "application/problem+json"}, where
