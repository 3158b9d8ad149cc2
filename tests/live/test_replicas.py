"""Several storages on one PostgreSQL, and several processes that prepare one database at once."""

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import requests

from tests import postgres
from tests.processes import ROOT, Services

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

REPLICAS = 3


def prepare(services: Services, name: str) -> "subprocess.Popen[str]":
    environment = services.environment(name)
    return subprocess.Popen(
        ["python", f"{name}/manage.py", "prepare"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("name", ["service2", "storage"])
def test_replicas_that_start_together_on_an_empty_database(tmp_path: Path, name: str):
    services = Services(tmp_path)
    processes = [prepare(services, name) for _ in range(REPLICAS)]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * REPLICAS, said


@pytest.fixture
def replicas(tmp_path: Path, static_root: Path) -> Iterator[list[Services]]:
    """Storages with one database."""
    first = Services(tmp_path / "0", STATIC_ROOT=str(static_root))
    given = first.environment("storage")["DATABASE_URL"]
    others = [
        Services(tmp_path / str(number), STATIC_ROOT=str(static_root), DATABASE_URL=given)
        for number in range(1, REPLICAS)
    ]
    running = [first, *others]
    try:
        with ThreadPoolExecutor() as pool:  # at once, as Compose does
            list(pool.map(lambda services: services.start("storage"), running))
        yield running
    finally:
        for services in running:
            services.stop()


class Writers:
    """Clients that post records to all replicas in turn; `acknowledged` are the ids that were answered with 2xx."""

    def __init__(self, replicas: list[Services]) -> None:
        self.acknowledged: list[str] = []
        self.slowest = 0.0
        self._replicas = replicas
        self._over = threading.Event()

    def _post(self, number: int) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not self._over.is_set():
                number += 1
                record_id = str(uuid4())
                self._send(session, number, record_id)

    def _send(self, session: requests.Session, number: int, record_id: str) -> None:
        now = datetime.now(UTC).isoformat()
        record = {"id": record_id, "service": "service1", "timestamp": now, "line": f"line of {record_id}"}
        while not self._over.is_set():
            url = f"{self._replicas[number % REPLICAS].storage}/log"
            started = time.monotonic()
            try:
                answer = session.post(url, json=record, timeout=1)
            except requests.RequestException:
                answer = None
            if answer is not None:
                self.slowest = max(self.slowest, time.monotonic() - started)
                assert answer.status_code in (200, 201, 503), answer.text
            if answer is not None and answer.status_code != 503:
                self.acknowledged.append(record_id)
                return
            number += 1  # another replica knows the record by its id, should it have been stored

    @contextmanager
    def at_work(self, count: int = 8) -> Iterator[None]:
        with ThreadPoolExecutor(count) as pool:
            clients = [pool.submit(self._post, number) for number in range(count)]
            try:
                yield
            finally:
                self._over.set()
            for client in clients:
                client.result()


class Follower:
    """Reads what is new by the row number, as a follower of the log does."""

    def __init__(self, url: str) -> None:
        self.seen: list[str] = []
        self._over = threading.Event()
        self._url = url
        self._thread = threading.Thread(target=self._read)

    def _read(self) -> None:
        newest = 0
        with psycopg.connect(self._url, autocommit=True) as connection:
            while True:
                last = self._over.is_set()
                for row, record_id in connection.execute(
                    "SELECT row, record_id FROM logs_logrecord WHERE row > %s ORDER BY row", [newest]
                ):
                    newest = row
                    self.seen.append(str(record_id))
                if last:
                    return

    def __enter__(self) -> "Follower":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def log_of(services: Services) -> list[str]:
    answer = requests.get(f"{services.storage}/log?format=ndjson", timeout=20)
    return [json.loads(line)["id"] for line in answer.text.splitlines()]


@pytest.mark.postgres
def test_each_row_is_seen_by_who_follows_their_numbers(replicas: list[Services]):
    writers = Writers(replicas)
    with Follower(replicas[0].database()["DATABASE_URL"]) as follower, writers.at_work():
        time.sleep(4)
    assert len(writers.acknowledged) > 100
    assert sorted(follower.seen) == sorted(writers.acknowledged)
    assert log_of(replicas[0]) == log_of(replicas[1]) == log_of(replicas[2])


@pytest.mark.postgres
def test_one_of_three_is_killed_and_another_hangs(replicas: list[Services]):
    writers = Writers(replicas)
    with writers.at_work():
        time.sleep(1)
        replicas[1].kill("storage")
        time.sleep(1)
        replicas[2].pause("storage")  # it may have its turn just now: the server takes it away
        time.sleep(3)
        before = len(writers.acknowledged)
        time.sleep(2)
        after = len(writers.acknowledged)
        replicas[2].resume("storage")
        replicas[1].start("storage")
        time.sleep(1)
    assert after > before
    stored = Counter(log_of(replicas[0]))
    assert set(writers.acknowledged) <= set(stored)
    assert stored.most_common(1)[0][1] == 1
    assert replicas[0].integrity() == "ok"


@pytest.mark.postgres
def test_the_server_crashes_under_the_replicas(replicas: list[Services]):
    assert postgres.server
    writers = Writers(replicas)
    with writers.at_work():
        for _ in range(2):
            time.sleep(1)
            postgres.server.stop("immediate")
            time.sleep(1)
            postgres.server.start()
        time.sleep(2)
    stored = Counter(log_of(replicas[0]))
    assert set(writers.acknowledged) <= set(stored)
    assert stored.most_common(1)[0][1] == 1
    assert writers.slowest < 3
    assert replicas[0].integrity() == "ok"
