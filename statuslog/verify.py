"""Comparing the two stores. Memory does not grow with them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from statuslog.peer import CHUNK, PeerError, stream
from statuslog.record import EPOCH, MICROSECOND, show_timestamp
from statuslog.recorder import Recorder
from statuslog.rewrite import Copied, catch_up
from statuslog.storage_client import StorageClient
from statuslog.times import find_time
from statuslog.vstorage import LAST

LOCK_TIMEOUT = 2.0
LOG_TIMEOUT = 30.0
SHOWN = 300
END = b"(the end)"

Progress = Callable[[int, int], None]


class VerifyError(Exception):
    """The stores cannot be compared or mended now; the text says why."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first line in which the stores differ; it begins at byte `offset` of vstorage."""

    number: int
    offset: int
    log: bytes
    vstorage: bytes

    def __str__(self) -> str:
        text = f"line {self.number:,} differs\n  log:      {_show(self.log)}\n  vstorage: {_show(self.vstorage)}"
        if self.log != END and find_time(self.log.decode(errors="replace")) is None:
            text += "\nThe log's line has no time: somebody has posted it to storage past the services."
        return text


def compare(recorder: Recorder, progress: Progress, known: Copied | None = None) -> int | Difference:
    """The number of records if both stores have the same, else the first difference.

    What comes in meanwhile is left out: the lock is held only to see how far the file goes and until when. What is
    `known` to be equal, as it was written from the log a moment ago, is not read again. Raises VerifyError,
    RewriteError, VstorageError.
    """
    seen = None
    while True:
        # What a service could not append while the file was written anew is brought there now, and not found missing.
        catch_up(recorder)
        found = _look(recorder, progress, known or Copied())
        if isinstance(found, int) or found == seen:
            return found
        # A service that brings it there itself cuts the file back for a moment: what differs is seen twice.
        seen = found


def _look(recorder: Recorder, progress: Progress, known: Copied) -> int | Difference:
    with recorder.vstorage.locked(LOCK_TIMEOUT) as file:
        file.need_empty_outboxes()
        # Not the newest record's time: what was imported, or posted past the services, can be newer than that.
        size, until = file.size, max(file.new_time(recorder.now()), file.newest)
        until = until + MICROSECOND if until < LAST else LAST
    if size < known.size or recorder.vstorage.edition() != known.edition:
        known = Copied()
    try:
        log, vstorage = _log(recorder.storage, known.until, until), _file(recorder.vstorage.path, known.size, size)
        return _first_difference(log, vstorage, known, lambda done: progress(done, size))
    except PeerError as error:
        raise VerifyError(f"storage: {error}") from error
    except OSError as error:
        raise VerifyError(f"{recorder.vstorage.path}: {error.strerror}") from error


def _log(storage: StorageClient, since: datetime, until: datetime) -> Iterator[bytes]:
    bounds = {"since": since if since > EPOCH else None, "until": until if until < LAST else None}
    query = "&".join(f"{name}={show_timestamp(time)}" for name, time in bounds.items() if time)
    with storage.log("GET", query, {"Accept-Encoding": "identity"}, LOG_TIMEOUT) as response:
        if response.status_code != 200:
            raise PeerError(f"GET /log was answered with {response.status_code}")
        yield from stream(response, LOG_TIMEOUT)


def _file(path: Path, offset: int, size: int) -> Iterator[bytes]:
    size -= offset
    with path.open("rb") as source:
        source.seek(offset)
        while size > 0 and (chunk := source.read(min(CHUNK, size))):
            size -= len(chunk)
            yield chunk


def _first_difference(
    log: Iterator[bytes], vstorage: Iterator[bytes], known: Copied, progress: Callable[[int], None]
) -> int | Difference:
    records, offset = known.lines, known.size  # of the beginning of the line that is looked at
    left = right = b""
    while True:
        left = left or next(log, b"")
        right = right or next(vstorage, b"")
        length = min(len(left), len(right))
        if left[:length] != right[:length] or not length:
            if not left and not right:
                return records
            return _difference(records, offset, left, log, right, vstorage)
        # Only whole lines are let go, so that a difference is shown with the line's beginning.
        whole = left.rfind(b"\n", 0, length) + 1
        if not whole:
            left, right = left + next(log, b""), right + next(vstorage, b"")
            continue
        records += left.count(b"\n", 0, whole)
        offset += whole
        left, right = left[whole:], right[whole:]
        progress(offset)


def _difference(
    records: int, offset: int, left: bytes, log: Iterator[bytes], right: bytes, vstorage: Iterator[bytes]
) -> Difference:
    length = next(
        (place for place, (one, other) in enumerate(zip(left, right, strict=False)) if one != other),
        min(len(left), len(right)),
    )
    whole = left.rfind(b"\n", 0, length) + 1
    number = records + left.count(b"\n", 0, whole) + 1
    return Difference(number, offset + whole, _line(left[whole:], log), _line(right[whole:], vstorage))


def _line(beginning: bytes, rest: Iterator[bytes]) -> bytes:
    if b"\n" not in beginning:
        beginning += next(rest, b"")
    return beginning.partition(b"\n")[0] or END


def _show(line: bytes) -> str:
    return line[:SHOWN].decode(errors="replace")
