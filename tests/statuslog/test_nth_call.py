"""The n-th call: each system call and each request of keeping a record fails once, and the stores agree again.

For every n until the operation passes without the failure: let the n-th call fail, keep some records, let the
delivery work, and look whether each record that was acknowledged is in both stores, once, whole, in one order.
"""

import errno
import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from statuslog.delivery import Delivery
from statuslog.record import Record
from statuslog.recorder import NotKept, OutboxError
from statuslog.storage_client import StorageError
from tests.in_memory import OutboxInMemory, StorageInMemory, recorder_on

CALLS: list[tuple[str, Callable[[], Exception]]] = [
    ("os.open", lambda: OSError(errno.EMFILE, "Too many open files")),
    ("os.write", lambda: OSError(errno.ENOSPC, "No space left on device")),
    ("os.fstat", lambda: OSError(errno.EIO, "Input/output error")),
    ("os.pread", lambda: OSError(errno.EIO, "Input/output error")),
    ("os.ftruncate", lambda: OSError(errno.EIO, "Input/output error")),
    ("os.getxattr", lambda: OSError(errno.EIO, "Input/output error")),
    ("os.setxattr", lambda: OSError(errno.ENOSPC, "No space left on device")),
    ("os.removexattr", lambda: OSError(errno.EIO, "Input/output error")),
    ("fcntl.flock", lambda: OSError(errno.ENOLCK, "No locks available")),
    ("storage.store", lambda: StorageError("no answer within 0.6 s")),
    ("storage.set_fence", lambda: StorageError("no answer within 0.2 s")),
    ("storage.records", lambda: StorageError("no answer within 0.2 s")),
    ("storage.edition", lambda: StorageError("no answer within 30.0 s")),
    ("storage.text", lambda: StorageError("no answer within 30.0 s")),
    ("outbox.put", lambda: OutboxError("the outbox cannot be written: disk I/O error")),
    ("outbox.remove", lambda: OSError(errno.EIO, "Input/output error")),
]


class System:
    """Two services on one file, with a storage that can be away."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "vstorage"
        self.file.touch()
        self.storage = StorageInMemory()
        self.outboxes = {name: OutboxInMemory() for name in ("service1", "service2")}
        self.recorders = {
            name: recorder_on(self.file, self.storage, outbox, name) for name, outbox in self.outboxes.items()
        }
        self.deliveries = {
            name: Delivery(self.recorders[name], outbox, folder / f"{name}.lock")
            for name, outbox in self.outboxes.items()
        }
        self.acknowledged: list[Record] = []

    def keep(self, name: str) -> None:
        with suppress(NotKept, OSError):  # a 503 or a 500: nothing is claimed
            self.acknowledged.append(self.recorders[name].keep().record)

    def story(self) -> None:
        """Good and bad moments: all calls of the path occur in it."""
        self.keep("service1")
        self.storage.fail()
        self.keep("service1")
        self.storage.recover()
        self.keep("service2")
        self.deliver()
        self.file.write_bytes(self.file.read_bytes()[:-5])  # torn by a crash of the host
        self.keep("service2")
        self.deliver()
        self.storage.prune(1)
        self.deliver()
        self.keep("service1")

    def deliver(self) -> None:
        for courier in self.deliveries.values():
            with suppress(OSError):  # the background thread logs it and tries again
                courier.deliver()

    def heal(self) -> None:
        for _ in range(10):
            self.deliver()
        self.keep("service1")
        self.keep("service2")


def fail_nth(patch: pytest.MonkeyPatch, system: System, call: str, error: Callable[[], Exception], n: int) -> list[int]:
    """Let the n-th `call` of the recorder's path fail; the list counts them."""
    place, name = call.split(".")
    places: dict[str, list[Any]] = {
        "os": [os],
        "fcntl": [fcntl],
        "storage": [system.storage],
        "outbox": list(system.outboxes.values()),
    }
    count = [0]

    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **options: Any) -> Any:
            count[0] += 1
            if count[0] == n:
                if call == "storage.store" and n % 2:
                    real(*args, **options)  # it was stored, and the answer got lost
                raise error()
            return real(*args, **options)

        return wrapped

    for target in places[place]:
        patch.setattr(target, name, wrap(getattr(target, name)))
    return count


@pytest.mark.parametrize(("call", "error"), CALLS, ids=[call for call, _ in CALLS])
def test_the_stores_agree_whichever_call_fails(
    call: str, error: Callable[[], Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    n = 0
    while True:
        n += 1
        assert n < 500
        folder = tmp_path / str(n)
        folder.mkdir()
        system = System(folder)
        with monkeypatch.context() as patch:
            count = fail_nth(patch, system, call, error, n)
            system.story()
        system.heal()
        stored = system.storage.stored
        kept = [record for record in system.acknowledged if record not in system.storage.pruned]
        assert [record for record in kept if record not in stored] == [], f"{call} number {n}: lost"
        assert system.file.read_text() == "".join(f"{record.line}\n" for record in stored), f"{call} number {n}"
        if count[0] < n:
            assert n > 1, f"the story has no {call}"
            return
