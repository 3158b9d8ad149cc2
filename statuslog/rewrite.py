"""Writing vstorage anew as the copy of the log, when the log's past has changed: records pruned, restored, imported.

Each such change gives the log a new edition, and the file's own state names the edition that it is a copy of:
whoever finds that the two differ writes the file anew (docs/adr/0008-editions.md). The log is read into a copy
first, without the lock, which then is held for no longer than a piece of that takes to be written.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from statuslog.aside import keep
from statuslog.peer import CHUNK
from statuslog.record import EPOCH
from statuslog.recorder import CATCH_UP_RECORDS, Recorder
from statuslog.storage_client import StorageError
from statuslog.vstorage import LockedFile, VstorageError

LOCK_TIMEOUT = 2.0
STORAGE_TIMEOUT = 0.3  # under the lock: less than a request is ready to wait for it
LOG_TIMEOUT = 30.0
PIECE = 16 * 2**20
TRIES = 20
PAUSE = 0.05  # seconds, longer with each failure

Progress = Callable[[int, int], None]


class RewriteError(Exception):
    """vstorage cannot be written anew now; the text says why."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What is equal in both stores: the file's first `size` bytes are the `lines` before `until` of that edition."""

    edition: int = 0
    until: datetime = EPOCH
    size: int = 0
    lines: int = 0
    aside: Path | None = None  # where those lines are that the file alone had


def _no_progress(done: int, size: int) -> None:
    pass


def follow(
    recorder: Recorder,
    folder: Path,
    progress: Progress = _no_progress,
    *,
    patience: float = 0.0,
    always: bool = False,
) -> Copied | None:
    """Write vstorage anew if the log is of another edition, or `always`; None if it was not. Raises RewriteError.

    `folder` must have room for a copy of the log. Of several who want to, one does it; the others wait for so long.
    """
    try:
        if not always and _is_followed(recorder):
            return None
        with recorder.vstorage.rewriting(patience):
            if not always and _is_followed(recorder):
                return None  # another one has done it
            copied = _rewrite(recorder, folder, progress, always=always)
        catch_up(recorder)
    except StorageError as error:
        raise RewriteError(f"storage: {error}") from error
    except VstorageError as error:
        raise RewriteError(str(error)) from error
    except OSError as error:
        raise RewriteError(f"{folder}: the log cannot be copied there: {error.strerror}") from error
    return copied


def _is_followed(recorder: Recorder) -> bool:
    return recorder.storage.edition(LOG_TIMEOUT) == recorder.vstorage.edition()


def _rewrite(recorder: Recorder, folder: Path, progress: Progress, *, always: bool) -> Copied:
    """Killed anywhere it leaves the file as it was, or with the note that it is behind from its beginning on.

    What the file alone has is kept aside, unless the log has said by a new edition that its past was changed: an older
    edition is one of another log, or of a log that went back.
    """
    with tempfile.TemporaryFile(dir=folder) as copy:
        edition = recorder.storage.edition(LOG_TIMEOUT)
        with recorder.vstorage.locked(LOCK_TIMEOUT) as file:
            file.need_empty_outboxes()
            # Behind this fence nothing comes to the log any more that is not there now.
            until, end = file.new_time(recorder.now()), file.size
            recorder.storage.set_fence(until, STORAGE_TIMEOUT)
        count = 0
        for chunk in recorder.storage.text(until, LOG_TIMEOUT):
            copy.write(chunk)
            count += chunk.count(b"\n")
        size, aside = copy.tell(), None
        if always or edition < recorder.vstorage.edition():
            aside = keep(recorder.vstorage.path, end, copy, folder)
        copy.seek(0)
        with recorder.vstorage.locked(LOCK_TIMEOUT) as file:
            file.need_empty_outboxes()
            file.start_anew(edition)
            _copy_piece(copy, file, size, until)
        while copy.tell() < size:
            progress(copy.tell(), size)
            with recorder.vstorage.locked(LOCK_TIMEOUT) as file:
                _copy_piece(copy, file, size, until)
        copy.seek(0)
        if not _begins_with(recorder.vstorage.path, copy):
            return Copied(aside=aside)
        return Copied(edition, until, size, count, aside)


def _begins_with(file: Path, copy: IO[bytes]) -> bool:
    """Whether the file has what was written to it; others may have edited it meanwhile."""
    try:
        with file.open("rb") as written:
            while chunk := copy.read(CHUNK):
                if written.read(len(chunk)) != chunk:
                    return False
    except OSError:
        return False
    return True


def _copy_piece(copy: IO[bytes], file: LockedFile, size: int, until: datetime) -> None:
    lines = copy.read(PIECE) + copy.readline()
    file.copy(lines, until if copy.tell() >= size else None)


def catch_up(recorder: Recorder) -> None:
    """Write what the file lacks of the log; who is killed here leaves that to the services. Raises RewriteError."""
    failed = 0
    while True:
        with recorder.vstorage.locked(LOCK_TIMEOUT) as file:
            written = recorder.catch_up(file, CATCH_UP_RECORDS, STORAGE_TIMEOUT)
            if file.behind is None:
                return
        failed = 0 if written else failed + 1
        if failed > TRIES:
            raise RewriteError("vstorage cannot be written, or storage not be read; the services go on trying")
        time.sleep(failed * PAUSE)
