"""The files of this repository: what git knows, and what is new and not ignored."""

import subprocess
from functools import cache
from pathlib import Path

from tests.processes import ROOT


@cache
def tracked_files() -> list[Path]:
    """Absolute paths."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    return [ROOT / name for name in sorted(filter(None, names)) if (ROOT / name).is_file()]


def python_files(*folders: str) -> list[Path]:
    return [path for path in tracked_files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders]


def shell_scripts() -> list[Path]:
    """What begins with #! and a shell, whatever its name ends with."""
    return [path for path in tracked_files() if is_shell_script(path)]


def is_shell_script(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline().rstrip()
    return first.startswith(b"#!") and first.endswith((b"/sh", b" sh", b"bash"))
