"""A note of this service to itself: since when records are missing in vstorage that it could not open.

Where the file can be opened, the note is kept with the file. This one is for when it cannot: a small file of
its own, which outlives a restart.
"""

import os
from datetime import datetime
from pathlib import Path

from statuslog.record import RecordError, parse_timestamp, show_timestamp


class Missed:
    """The note at `path`. Safe to use from many processes: the earliest time stays."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def since(self) -> datetime | None:
        """The time that was noted, if one was."""
        try:
            return parse_timestamp(self._path.read_text(), "missed")
        except (OSError, RecordError):
            return None

    def note(self, since: datetime) -> None:
        """Note that records from `since` on are missing."""
        noted = self.since()
        if noted is not None and noted <= since:
            return
        own = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        own.write_text(show_timestamp(since))
        own.replace(self._path)

    def clear(self) -> None:
        """Forget the note: the file itself carries it now."""
        self._path.unlink(missing_ok=True)
