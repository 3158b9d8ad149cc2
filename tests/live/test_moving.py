"""A log moves from SQLite to PostgreSQL, as README says."""

from pathlib import Path

import pytest

from tests import postgres
from tests.contract.client import get
from tests.manage_all import LocalSystem

pytestmark = [pytest.mark.live, pytest.mark.postgres]


def test_a_log_is_moved_whole(tmp_path: Path):
    assert postgres.server
    old = LocalSystem(tmp_path / "a folder")
    old.start()
    try:
        for _ in range(5):
            assert get(f"{old.public}/status").status_code == 200
        records = get(f"{old.public}/log?format=ndjson").text
    finally:
        old.stop()
    (old.folder / "log.ndjson").write_text(records)

    old.environment["DATABASE_URL"] = postgres.server.new_database()
    old.start()
    try:
        for known in (0, 10):
            done = old("import", "log.ndjson")
            assert f"stored {10 - known}, known already {known}, rejected 0\n" in done.stdout, done.stdout + done.stderr
        assert get(f"{old.public}/status").status_code == 200
        moved = get(f"{old.public}/log?format=ndjson").text
        assert moved.startswith(records)
        assert len(moved.splitlines()) == 12
        assert old("verify").stdout == "equal, 12 records\n"
    finally:
        old.stop()
