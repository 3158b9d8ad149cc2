"""storage and the outbox as the recorder sees them, kept in lists: storage is faked at the edge of `storage_client`."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from statuslog.missed import Missed
from statuslog.record import LineStyle, Record
from statuslog.recorder import OutboxError, Recorder
from statuslog.storage_client import StorageClient, StorageError
from statuslog.verdict import Verdict
from statuslog.vstorage import Vstorage

MAX = datetime.max.replace(tzinfo=UTC)


class StorageInMemory(StorageClient):
    """Takes what it is given, once. `before` runs at the start of each `store`, and may wait or raise."""

    def __init__(self) -> None:
        super().__init__("http://unused.invalid")
        self.batches: list[list[Record]] = []
        self.ready = True
        self.before: Callable[[], None] = lambda: None
        self.fence: datetime | None = None
        self.log_edition = 0
        self.changing: list[str] = []  # by which command, for as many questions
        self.pruned: list[Record] = []

    @property
    def stored(self) -> list[Record]:
        """The log: every record once, in the order of time."""
        once = {record.id: record for batch in self.batches for record in batch}
        return sorted(once.values(), key=lambda record: record.timestamp)

    @property
    def lines(self) -> list[str]:
        return [record.line for record in self.stored]

    def store(self, records: Sequence[Record], timeout: float, fence: datetime | None = None) -> None:
        self.before()
        if fence and self.fence and fence < self.fence:
            raise StorageError("412: the log is fenced off", Verdict.FENCED)
        self.batches.append(list(records))

    def set_fence(self, fence: datetime, timeout: float) -> None:
        self.fence = fence

    def records(self, since: datetime, limit: int, timeout: float) -> list[Record]:
        return [record for record in self.stored if record.timestamp >= since][:limit]

    def edition_and_change(self, timeout: float) -> tuple[int, str]:
        return self.log_edition, self.changing.pop(0) if self.changing else ""

    def text(self, until: datetime, timeout: float) -> Iterator[bytes]:
        for record in self.stored:
            if record.timestamp < until:
                yield f"{record.line}\n".encode()

    def is_ready(self, timeout: float) -> bool:
        return self.ready

    def prune(self, count: int) -> None:
        """Forget the oldest records: another edition begins."""
        self.pruned += self.stored[:count]
        self.batches = [self.stored[count:]]
        self.log_edition += 1

    def fail(self, verdict: Verdict | None = None) -> None:
        """From now on it takes nothing."""

        def failing() -> None:
            raise StorageError("507: too little free disk", verdict)

        self.before = failing

    def recover(self) -> None:
        self.before = lambda: None


class OutboxInMemory:
    """An outbox that a restart would empty."""

    def __init__(self, most: int = 1000) -> None:
        self.most = most
        self.waiting: dict[int, Record] = {}
        self.refused: dict[int, str] = {}
        self.set_aside: dict[int, Record] = {}
        self.due: dict[int, datetime] = {}
        self._row = 0

    def put(self, records: Sequence[Record]) -> None:
        if len(self.waiting) + len(records) > self.most:
            raise OutboxError("the outbox is full")
        for record in records:
            self._row += 1
            self.waiting[self._row] = record

    def is_empty(self) -> bool:
        return not self.oldest(1) and not self.late(1)

    def oldest(self, count: int) -> dict[int, Record]:
        return dict([(row, made) for row, made in self.waiting.items() if row not in self.due][:count])

    def late(self, count: int) -> dict[int, Record]:
        now = datetime.now(UTC)
        return dict([(row, made) for row, made in self.waiting.items() if self.due.get(row, MAX) <= now][:count])

    def defer(self, row: int, due: datetime) -> None:
        self.due[row] = due

    def hold(self) -> None:
        pass

    def check(self) -> None:
        pass

    def has_early(self) -> bool:
        return any(due > datetime.now(UTC) for due in self.due.values())

    def remove(self, rows: Sequence[int]) -> None:
        for row in rows:
            del self.waiting[row]
            self.due.pop(row, None)

    def refuse(self, row: int, reason: str) -> None:
        self.set_aside[row] = self.waiting.pop(row)
        self.refused[row] = reason

    def counts(self) -> dict[str, int]:
        return {"waiting": len(self.waiting), "refused": len(self.refused)}


def recorder_on(
    file: Path, storage: StorageInMemory, outbox: OutboxInMemory | None = None, service: str = "service1"
) -> Recorder:
    """A recorder with vstorage at `file`, a real one."""
    missed = Missed(file.with_name(f"missed-{service}"))
    return Recorder(service, Vstorage(file), storage, outbox or OutboxInMemory(), missed, LineStyle())
