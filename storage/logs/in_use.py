"""Which database the running storage uses, so that no command works on another one by mistake: DATABASE_URL may have
been given to `run` alone, and then a backup would save an SQLite file that nothing writes to any more."""

import fcntl
import os
from pathlib import Path
from typing import Any

from statuslog import filelock

LONGEST = 1000


class OtherDatabase(Exception):
    """The running storage uses another database than this process; the text says what to do."""


def name_of(settings: dict[str, Any]) -> str:
    """What a person knows the database by, without a password."""
    if settings["ENGINE"] == "statuslog.sqlite":
        return f"SQLite, {Path(settings['NAME']).absolute()}"
    port = f":{settings['PORT']}" if settings["PORT"] else ""
    return f"PostgreSQL, {settings['NAME']} at {settings['HOST'] or 'this host'}{port}"


def tell(folder: Path, settings: dict[str, Any]) -> None:
    """Note what this process uses, for as long as it lives. On a full disk nothing is noted."""
    try:
        descriptor = _open(folder)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        name = name_of(settings).encode()
        if os.pread(descriptor, LONGEST, 0) != name:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, name, 0)
    except OSError:
        return
    _held.append(descriptor)  # closing it would end the lock


def check(folder: Path, settings: dict[str, Any]) -> None:
    """Raise OtherDatabase if a storage runs on this folder with another database."""
    try:
        descriptor = _open(folder)
    except OSError:
        return
    try:
        if filelock.try_lock(descriptor):
            return  # none runs
        used, own = os.pread(descriptor, LONGEST, 0).decode(errors="replace"), name_of(settings)
    finally:
        os.close(descriptor)
    if used and used != own:
        raise OtherDatabase(
            f"the running storage uses {used}, and this command would use {own}: "
            "give both the same DATABASE_URL, best in .env; nothing was changed"
        )


_held: list[int] = []


def _open(folder: Path) -> int:
    return os.open(folder / "in-use", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
