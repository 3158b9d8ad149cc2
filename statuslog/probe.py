"""Measures the host and the container. It reads the kernel's own files and keeps nothing.

Inside a container `/proc/uptime` is the host's, as containers share the kernel; `/proc/1` is the
container's first process. psutil would give the same figures for a dependency more.
"""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

from statuslog.record import Measurement

PROC = Path("/proc")
DISK = Path("/")

T = TypeVar("T")


def measure(proc: Path = PROC, disk: Path = DISK) -> Measurement:
    """The values of this moment; None for each that cannot be had."""
    host = _or_none(lambda: host_uptime_seconds(proc))
    started = _or_none(lambda: first_process_started(proc))
    free, total = _or_none(lambda: disk_bytes(disk)) or (None, None)
    return Measurement(
        host_uptime_seconds=host,
        container_uptime_seconds=None if host is None or started is None else max(0.0, round(host - started, 2)),
        disk_free_bytes=free,
        disk_total_bytes=total,
    )


def host_uptime_seconds(proc: Path = PROC) -> float:
    """Seconds since the kernel started, without the clock's corrections (proc_uptime(5))."""
    return float((proc / "uptime").read_text().split()[0])


@cache  # we do not outlive our PID 1
def first_process_started(proc: Path = PROC) -> float:
    """Seconds from the kernel's start to PID 1's (field 22 of proc_pid_stat(5), in clock ticks)."""
    # A process can be named "a) S 1 2", so count from the last parenthesis: field 3 comes right after it.
    after_name = (proc / "1" / "stat").read_text().rpartition(")")[2].split()
    return int(after_name[22 - 3]) / os.sysconf("SC_CLK_TCK")


def disk_bytes(disk: Path = DISK) -> tuple[int, int]:
    """Bytes of the filesystem at `disk`: what an ordinary user may still write, and all there are."""
    figures = os.statvfs(disk)
    return figures.f_bavail * figures.f_frsize, figures.f_blocks * figures.f_frsize


def _or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except (OSError, ValueError, IndexError):
        return None
