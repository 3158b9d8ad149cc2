"""Load, and the oracle: when a fault has healed, what was acknowledged is in both stores, once, whole, in one order."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from statuslog.record import LINE_PATTERN

LONGEST_ANSWER = 3.0
HEALING_SECONDS = 30.0


class Asked(Protocol):
    """What can be put under load."""

    public_port: int


class System(Asked, Protocol):
    """What is judged: services that run as processes, or in containers."""

    vstorage: Path

    def readiness(self, name: str) -> dict[str, Any]:
        """What the service answers to GET /readyz, or nothing when it gives no answer."""

    def integrity(self) -> str:
        """What SQLite says of storage's database; "ok" when it is whole."""

    def output(self, name: str) -> str:
        """What the service has logged."""


@dataclass
class Load:
    """What concurrent clients of `GET /status` have seen."""

    codes: Counter[int | str] = field(default_factory=Counter)
    deliveries: Counter[str] = field(default_factory=Counter)
    acknowledged: list[dict[str, str]] = field(default_factory=list)
    slowest: float = 0.0

    @property
    def share_of_200(self) -> float:
        return self.codes[200] / self.codes.total()


@contextmanager
def load(system: Asked, clients: int) -> Iterator[Load]:
    """So many clients ask without a pause for as long as the block takes."""
    seen, over, mutex = Load(), threading.Event(), threading.Lock()

    def ask_all_the_time() -> None:
        connection = None
        while not over.is_set():
            started = time.monotonic()
            answer, delivery = b"", ""
            code: int | str
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", system.public_port, timeout=10)
                connection.request("GET", "/status?format=json")
                response = connection.getresponse()
                answer, code = response.read(), response.status
                delivery = response.headers.get("Record-Delivery", "")
            except (OSError, http.client.HTTPException) as error:  # service1 itself was killed
                connection, code = None, type(error).__name__
                over.wait(0.02)
            with mutex:
                seen.slowest = max(seen.slowest, time.monotonic() - started)
                seen.codes[code] += 1
                seen.deliveries[delivery] += 1
                if code in (200, 502, 504):  # service1's own record is kept also when service2 is away
                    seen.acknowledged += json.loads(answer)["records"]

    threads = [threading.Thread(target=ask_all_the_time) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


def wait_until_healed(system: System) -> None:
    """All services are ready, and nothing waits in an outbox."""
    deadline = time.monotonic() + HEALING_SECONDS
    while not all(_is_healed(system, name) for name in ("service1", "service2")):
        assert time.monotonic() < deadline, [system.output(name)[-3000:] for name in ("service1", "service2")]
        time.sleep(0.1)


def check(system: System, seen: Load, *, unlocked: bool = False) -> int:
    """The oracle; returns the number of records.

    `unlocked`: vstorage, and with it the lock, was away, so two records may share a microsecond.
    """
    wait_until_healed(system)
    log = _get(system.public_port, "/log")
    records = [json.loads(line) for line in _get(system.public_port, "/log?format=ndjson").splitlines()]
    ids = Counter(record["id"] for record in records)
    by_id = {record["id"]: record for record in records}
    assert [record for record in seen.acknowledged if by_id.get(record["id"]) != record] == []  # nothing lost
    assert ids.most_common(1)[0][1] == 1  # nothing doubled
    times = [record["timestamp"] for record in records]
    assert times == sorted(times)
    assert unlocked or len(set(times)) == len(times)
    assert system.vstorage.read_bytes() == log  # the stores agree
    assert log.decode().splitlines() == [record["line"] for record in records]
    assert all(LINE_PATTERN.fullmatch(record["line"]) for record in records)  # no torn line
    assert seen.slowest < LONGEST_ANSWER
    assert system.integrity() == "ok"
    return len(records)


def _is_healed(system: System, name: str) -> bool:
    answer = system.readiness(name)
    return bool(answer and answer["ready"] and not answer["outbox"]["waiting"])


def _get(port: int, path: str) -> bytes:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", path)
        return connection.getresponse().read()
