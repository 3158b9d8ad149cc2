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
ROUNDING = 0.02  # seconds: the kernel cuts both figures to hundredths

T = TypeVar("T")


def measure(proc: Path = PROC, disk: Path = DISK) -> Measurement:
    """The values of this moment; None for each that cannot be had."""
    host = _or_none(lambda: host_uptime_seconds(proc))
    free, total = _or_none(lambda: disk_bytes(disk)) or (None, None)
    return Measurement(
        host_uptime_seconds=host,
        container_uptime_seconds=None if host is None else _or_none(lambda: container_uptime_seconds(proc, host)),
        disk_free_bytes=free,
        disk_total_bytes=total,
    )


def host_uptime_seconds(proc: Path = PROC) -> float:
    """Seconds since the kernel started, without the clock's corrections (proc_uptime(5))."""
    return float((proc / "uptime").read_text().split()[0])


def container_uptime_seconds(proc: Path, uptime: float) -> float:
    """Seconds since the container's first process started, where `/proc/uptime` says `uptime`.

    In an LXC container, or where lxcfs is mounted, `/proc/uptime` is the container's own already. It is then a mount of
    its own, or younger than PID 1, whose start the kernel counts from the host's.
    """
    started = first_process_started(proc)
    if uptime < started - ROUNDING or _is_mounted(proc / "uptime"):
        return uptime
    return max(0.0, round(uptime - started, 2))


@cache  # a mount over a file of /proc is made before the container's first process
def _is_mounted(file: Path) -> bool:
    return file.stat().st_dev != file.parent.stat().st_dev


@cache  # we do not outlive our PID 1
def first_process_started(proc: Path = PROC) -> float:
    """Seconds from the kernel's start to PID 1's (field 22 of proc_pid_stat(5), in clock ticks)."""
    # A process can be named "a) S 1 2", so count from the last parenthesis: field 3 comes right after it.
    after_name = (proc / "1" / "stat").read_text().rpartition(")")[2].split()
    return int(after_name[22 - 3]) / os.sysconf("SC_CLK_TCK")


def disk_bytes(disk: Path = DISK) -> tuple[int, int] | None:
    """Bytes of the file system at `disk`: what an ordinary user may still write, and all there are.

    None where the file system does not count its blocks (ramfs, proc, some overlays). Raises OSError.
    """
    figures = os.statvfs(disk)
    if not figures.f_blocks:
        return None
    return figures.f_bavail * figures.f_frsize, figures.f_blocks * figures.f_frsize


def _or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except (OSError, ValueError, IndexError):
        return None
