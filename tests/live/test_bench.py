"""`manage_all.sh bench` measures every point; what it measures is not judged here."""

import json
from pathlib import Path

import pytest

from tests.manage_all import LocalSystem

pytestmark = pytest.mark.live


def test_bench_has_every_point_without_a_wrong_answer(tmp_path: Path):
    done = LocalSystem(tmp_path)("bench", "--seconds", "0.3", "--clients", "2", "--json", "result.json")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    points = {(point["request"], point["clients"], point["system"]): point for point in result["points"]}
    assert set(points) == {
        (request, 2, system) for request in ("GET /status", "POST /log") for system in ("ours", "plain", "floor")
    }
    assert all(point["ok"] and not point["bad"] for point in points.values())
    assert len(result["ratios"]) == 4


def test_memory_shows_each_worker(tmp_path: Path):
    done = LocalSystem(tmp_path)("bench", "--memory", "20")
    assert done.returncode == 0, done.stderr
    first, *workers = done.stdout.splitlines()
    assert first.startswith("20 answers, others: none")
    assert [line.split()[0] for line in workers] == ["service1", "service2", "storage"]


def test_records_are_measured_at_each_size(tmp_path: Path):
    done = LocalSystem(tmp_path)("bench", "--records", "20,50", "--times", "3", "--json", "result.json")
    assert done.returncode == 0, done.stderr
    few, more = json.loads((tmp_path / "result.json").read_text())["records"]
    assert (few["records"], more["records"]) == (20, 50)
    assert (
        set(few["p50"])
        == set(more["times_the_first"])
        == {
            "limit=100",
            "tail=100",
            "in the middle",
            "JSON page",
            *("admin, first", "admin, last", "status page", "POST", "POST, followed"),
        }
    )
    for name in ("import", "both", "bare_rows", "read", "shell"):
        rate = more.get(f"{name}_lines_per_second") or more[f"{name}_per_second"]
        assert rate > 0
    assert "50 records\n" in done.stdout


def test_no_request_at_all(tmp_path: Path):
    done = LocalSystem(tmp_path)("bench", "--records", "20", "--times", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--times: must be 1 or more, not 0" in done.stderr


def test_an_unknown_system(tmp_path: Path):
    done = LocalSystem(tmp_path)("bench", "--systems", "ours,theirs")
    assert (done.returncode, done.stdout) == (2, "")
    assert "theirs" in done.stderr
