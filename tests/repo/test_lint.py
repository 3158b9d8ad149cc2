"""shellcheck and hadolint find nothing in any shell script and in any Dockerfile."""

import subprocess
import sys
from pathlib import Path

from tests.processes import ROOT
from tests.repo.tracked import shell_scripts, tracked_files

BIN = Path(sys.executable).parent


def run(tool: str, *arguments: str | Path) -> str:
    done = subprocess.run([BIN / tool, *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout + done.stderr


def test_shellcheck():
    scripts = shell_scripts()
    assert {ROOT / "manage_all.sh", ROOT / "statuslog" / "serve.sh", ROOT / ".ci" / "engine"} <= set(scripts)
    assert run("shellcheck", "--external-sources", *scripts) == ""


def test_hadolint():
    dockerfiles = [path for path in tracked_files() if path.name == "Dockerfile"]
    assert len(dockerfiles) == 4
    assert run("hadolint", *dockerfiles) == ""
