"""What a service cannot run with ends its start with one line, before anything listens."""

import subprocess
from pathlib import Path

import pytest

from tests.processes import ROOT, Services

pytestmark = pytest.mark.live


def start(folder: Path, name: str, **settings: str) -> subprocess.CompletedProcess[str]:
    services = Services(folder, **settings)
    return subprocess.run(
        [ROOT / "statuslog" / "serve.sh", name],
        env=services.environment(name),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.parametrize(
    ("name", "setting", "value", "wanted"),
    [
        ("service1", "WEB_CONCURRENCY", "foo", "set it to a whole number, 1 or more"),
        ("service2", "GUNICORN_THREADS", "0", "set it to a whole number, 1 or more"),
        ("service1", "RECORD_UPTIME", "moon", "set it to one of: host, container"),
        ("service2", "STORAGE_URL", "storage:8000", "set it to an address such as http://127.0.0.1:8202"),
        ("service2", "API_TOKENS_FILE", "/nowhere", "the file cannot be read: No such file or directory"),
        (
            "storage",
            "MIN_FREE_BYTES",
            "101%",
            "set it to a number of bytes, or of K, M, G or T (1024 bytes, 1024 K, …), such as 1048576, 500M or 1.5G; "
            "or a share of the disk, such as 5%",
        ),
    ],
)
def test_a_wrong_value(tmp_path: Path, name: str, setting: str, value: str, wanted: str):
    done = start(tmp_path, name, **{setting: value})
    assert (done.returncode, done.stderr) == (1, f"{name}: {setting}={value!r}: {wanted}\n")


@pytest.mark.parametrize("name", ["service1", "service2", "storage"])
def test_a_weak_token_is_not_shown(tmp_path: Path, name: str):
    done = start(tmp_path, name, API_TOKENS="write:letmein")
    said = "token 1 is shorter than 16 characters; `openssl rand -hex 16` makes a good one"
    assert (done.returncode, done.stderr) == (1, f"{name}: API_TOKENS='…': {said}\n")


def test_an_extra_that_is_not_installed(tmp_path: Path):
    (tmp_path / "opentelemetry.py").write_text("raise ImportError('not here')\n")
    done = start(tmp_path, "service2", PYTHONPATH=str(tmp_path), OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    remedy = "install requirements-otel.txt (not here), or leave it empty: docs/operations/tracing.md"
    assert done.returncode == 1
    assert done.stderr == f"service2: OTEL_EXPORTER_OTLP_ENDPOINT='http://127.0.0.1:9': {remedy}\n"


def test_a_file_that_is_no_database(tmp_path: Path):
    path = tmp_path / "data" / "storage" / "db.sqlite3"
    path.parent.mkdir(parents=True)
    path.write_text("Dear diary,\n")
    done = start(tmp_path, "storage")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert str(path) in line
    assert path.read_text() == "Dear diary,\n"
