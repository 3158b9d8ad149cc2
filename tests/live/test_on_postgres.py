"""The same suite on PostgreSQL: pytest once more, with --postgres, which puts storage on a server of its own."""

import subprocess
import sys

import pytest

from tests import postgres
from tests.processes import ROOT
from tests.required import leave_out

pytestmark = [pytest.mark.live, pytest.mark.sqlite, pytest.mark.timeout(400)]

PARTS = {
    "storage": ["tests/storage"],
    "contract": ["tests/contract"],
    "live": [f"tests/live/test_{name}.py" for name in ("story", "replicas", "moving", "faults")],
}
# Of the live faults those in which storage, and so its database, plays a part.
ABOUT_STORAGE = {"live": ["-k", "story or replicas or moving or outage or hangs or together or (again and storage)"]}


@pytest.mark.parametrize("part", PARTS)
def test_all_of_it_passes(part: str):
    if postgres.find_server() is None:
        leave_out(postgres.REMEDY)
    chosen = [*PARTS[part], *ABOUT_STORAGE.get(part, [])]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--postgres", "-q", "--durations=5", *chosen],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-20_000:]
    assert " passed" in done.stdout
