"""What is measured, from the kernel's own files."""

import os
from pathlib import Path

import pytest

from statuslog import probe
from statuslog.record import Measurement

TICKS = os.sysconf("SC_CLK_TCK")


def proc(folder: Path, *, uptime: str = "1000.25 1800.00\n", name: str = "python", started: int = 400) -> Path:
    """A /proc with an uptime and a first process that started `started` seconds after the kernel."""
    fields = ["S", *"0123456789012345678"[:18], str(started * TICKS), "99", "99"]
    (folder / "1").mkdir()
    (folder / "1" / "stat").write_text(f"1 ({name}) {' '.join(fields)}\n")
    (folder / "uptime").write_text(uptime)
    return folder


def test_the_host_s_uptime_is_the_first_figure(tmp_path: Path):
    assert probe.host_uptime_seconds(proc(tmp_path)) == 1000.25


def test_the_container_s_uptime_is_counted_from_its_first_process(tmp_path: Path):
    assert probe.measure(proc(tmp_path)).container_uptime_seconds == 600.25


@pytest.mark.parametrize("name", ["a b", "a) S 1 2", "((", ")"])
def test_the_first_process_may_have_any_name(tmp_path: Path, name: str):
    assert probe.measure(proc(tmp_path, name=name)).container_uptime_seconds == 600.25


def test_an_uptime_younger_than_the_first_process_is_the_container_s_own(tmp_path: Path):
    # LXC and lxcfs: PID 1's start is still counted from the host's.
    measured = probe.measure(proc(tmp_path, uptime="359.00 300.00\n", started=589_882))
    assert measured.host_uptime_seconds == measured.container_uptime_seconds == 359.0


def test_an_uptime_that_is_mounted_over_the_kernel_s_is_the_container_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # The container is now older than the host was at its start, so that the figures alone do not tell.
    monkeypatch.setattr(probe, "_is_mounted", lambda file: file == tmp_path / "uptime")
    assert probe.measure(proc(tmp_path, started=400)).container_uptime_seconds == 1000.25


@pytest.mark.parametrize("uptime", ["400.00", "399.99", "399.98"])
def test_a_first_process_that_has_just_started_is_of_no_age(tmp_path: Path, uptime: str):
    # Both figures are cut to hundredths of a second, so one of this moment may seem to be older.
    assert probe.measure(proc(tmp_path, uptime=f"{uptime} 1.00\n")).container_uptime_seconds == 0.0


def test_a_disk_that_does_not_count_its_blocks_is_unknown_not_0():
    measured = probe.measure(disk=Path("/proc"))
    assert measured.disk_free_bytes is measured.disk_total_bytes is None


def test_a_full_disk_has_0_bytes_free(monkeypatch: pytest.MonkeyPatch):
    figures = os.statvfs_result((4096, 512, 1000, 0, 0, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda path: figures)
    assert probe.disk_bytes(Path("/")) == (0, 1000 * 512)


def test_free_disk_is_what_an_ordinary_user_may_still_write(monkeypatch: pytest.MonkeyPatch):
    figures = os.statvfs_result((4096, 512, 1000, 300, 200, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda path: figures)
    assert probe.disk_bytes(Path("/")) == (200 * 512, 1000 * 512)


def test_this_machine_can_be_measured():
    measured = probe.measure()
    assert measured.host_uptime_seconds and measured.host_uptime_seconds > 0
    assert measured.container_uptime_seconds is not None
    assert 0 <= measured.container_uptime_seconds <= measured.host_uptime_seconds
    assert measured.disk_free_bytes and measured.disk_total_bytes
    assert 0 < measured.disk_free_bytes < measured.disk_total_bytes


@pytest.mark.parametrize("uptime", ["", "soon", " \n"])
def test_an_unreadable_uptime_is_unknown_not_0(tmp_path: Path, uptime: str):
    measured = probe.measure(proc(tmp_path, uptime=uptime), tmp_path)
    assert measured.host_uptime_seconds is None
    assert measured.container_uptime_seconds is None
    assert measured.disk_free_bytes


@pytest.mark.parametrize("stat", ["", "1 (python) S 1", "1 (python) " + "x " * 30])
def test_an_unreadable_first_process_is_unknown_not_0(tmp_path: Path, stat: str):
    (proc(tmp_path) / "1" / "stat").write_text(stat)
    measured = probe.measure(tmp_path, tmp_path)
    assert measured.container_uptime_seconds is None
    assert measured.host_uptime_seconds == 1000.25


def test_without_proc_and_disk_everything_is_unknown(tmp_path: Path):
    missing = tmp_path / "missing"
    assert probe.measure(missing, missing) == Measurement()
