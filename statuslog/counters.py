"""The folder in which the workers of one start of a service count (metrics.py): made, and removed when it is over.

Whoever is killed leaves its folder; the next start of any service removes it. A lock tells the folders that are in use:
a process id could be another process by now, or one of another container.
"""

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

MEMORY = "/dev/shm"  # noqa: S108 - each folder is made for its owner alone
JUST_MADE_SECONDS = 10.0  # a folder that may not have its lock yet


def make(service: str, memory: str = MEMORY) -> str:
    """A new folder, in memory if there is room, else on the disk; locked for as long as this process or a fork of it
    lives. Empty if there is none to be had: then each worker counts for itself."""
    for place in (memory, None):
        with suppress(OSError):
            folder = tempfile.mkdtemp(prefix=f"statuslog-{service}-{os.getpid()}.", dir=place)
            fcntl.flock(os.open(folder, os.O_RDONLY | os.O_DIRECTORY), fcntl.LOCK_EX | fcntl.LOCK_NB)
            return folder
    return ""


def has_room(memory: str = MEMORY) -> bool:
    """Whether a file can be made there."""
    with suppress(OSError), tempfile.TemporaryFile(dir=memory):
        return True
    return False


def remove_abandoned(memory: str = MEMORY) -> None:
    """Remove the folders of this user that nobody has locked."""
    with suppress(OSError):
        for folder in Path(memory).glob("statuslog-*.*"):
            with suppress(OSError):
                _remove_if_abandoned(folder)


def _remove_if_abandoned(folder: Path) -> None:
    """Raises OSError when it is in use."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid() or found.st_mtime > time.time() - JUST_MADE_SECONDS:
            return
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)
