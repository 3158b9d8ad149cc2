"""The folder of the counters of one start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from statuslog import counters

LIVE = "import sys; from statuslog import counters; print(counters.make('storage', sys.argv[1]), flush=True); input()"


def old(folder: Path) -> Path:
    os.utime(folder, (1e9, 1e9))
    return folder


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path


def test_a_start_removes_what_a_killed_one_has_left_and_nothing_else(memory: Path):
    starts = [
        subprocess.Popen([sys.executable, "-c", LIVE, str(memory)], stdin=-1, stdout=-1, text=True) for _ in range(2)
    ]
    living, killed = [old(Path(start.stdout.readline().strip())) for start in starts if start.stdout]
    starts[1].kill()
    starts[1].wait()
    (killed / "counter_1.db").touch()
    old(killed)
    foreign = memory / "another-program"
    foreign.mkdir()
    just_made = memory / "statuslog-storage-1.abc"
    just_made.mkdir()
    counters.remove_abandoned(str(memory))
    assert sorted(memory.iterdir()) == sorted([living, old(foreign), just_made])
    starts[0].communicate("\n")
    counters.remove_abandoned(str(memory))
    assert sorted(memory.iterdir()) == sorted([foreign, just_made])


def test_a_link_is_not_followed(memory: Path, tmp_path_factory: pytest.TempPathFactory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "kept").touch()
    (memory / "statuslog-storage-1.abc").symlink_to(old(elsewhere))
    counters.remove_abandoned(str(memory))
    assert (elsewhere / "kept").exists()


def test_without_memory_the_folder_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert Path(counters.make("storage", "/nowhere")).parent == tmp_path
    assert not counters.has_room("/nowhere")
    assert counters.has_room(str(tmp_path))
