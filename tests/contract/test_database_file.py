"""When the file of storage's database is removed or replaced under it, no acknowledged record is lost."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from statuslog.vstorage import STATE
from tests.contract.agreement import stores_agree, until
from tests.contract.client import get, get_json, post, within
from tests.processes import NAMES, Services

pytestmark = [pytest.mark.live, pytest.mark.sqlite]


@pytest.fixture
def kept(services: Services, tmp_path: Path) -> Iterator[Path]:
    """A backup of the log with the two records that it has; the log is made whole again at the end."""
    assert get(f"{services.service1}/status").status_code == 200
    kept = tmp_path / "kept.sqlite3"
    with closing(sqlite3.connect(database(services))) as source, closing(sqlite3.connect(kept)) as target:
        source.backup(target)
    yield kept
    if kept.exists():
        database(services).parent.mkdir(exist_ok=True)
        kept.replace(database(services))
    until(lambda: stores_agree(services))


def database(services: Services) -> Path:
    return services.data_dir / "storage" / "db.sqlite3"


def statuses(services: Services, count: int = 5) -> set[str]:
    """Where the records of so many requests are; each is answered in time."""
    places = set()
    for _ in range(count):
        with within(3):
            answer = get(f"{services.service1}/status")
        assert answer.status_code == 200, answer.text
        places.add(answer.headers["Record-Delivery"])
    return places


def removed(file: Path) -> None:
    file.unlink()


def all_removed(file: Path) -> None:
    for path in file.parent.glob("db.sqlite3*"):
        path.unlink()


def folder_renamed(file: Path) -> None:
    file.parent.rename(file.parent.with_name("renamed"))
    file.parent.mkdir()


def emptied(file: Path) -> None:
    """As `> db.sqlite3.new; mv db.sqlite3.new db.sqlite3` does."""
    (file.parent / "new").touch()
    (file.parent / "new").replace(file)


def junk(file: Path) -> None:
    (file.parent / "new").write_text("no database at all, just text" * 100)
    (file.parent / "new").replace(file)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (removed, "database_replaced"),
        (all_removed, "database_replaced"),
        (folder_renamed, "database_replaced"),
        (emptied, "database_replaced"),
        (junk, "database_unreachable"),
    ],
)
def test_without_its_file_storage_takes_nothing_and_says_so(
    services: Services, kept: Path, fault: Callable[[Path], None], reason: str
):
    file = database(services)
    fault(file)
    assert statuses(services) == {"storage=queued, vstorage=written"}
    answer = get_json(f"{services.storage}/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, [reason])
    assert post(f"{services.storage}/log", b"a").status_code == 503
    assert get(f"{services.storage}/log").status_code == 503
    overview = get_json(f"{services.storage}/overview").json()
    assert (overview["readiness"]["reasons"], overview["services"]) == ([reason], [])
    lines = services.vstorage.read_bytes()
    kept.replace(file)
    until(lambda: stores_agree(services))
    assert services.vstorage.read_bytes() == lines
    assert lines.count(b"\n") == 12
    shutil.rmtree(file.parent.with_name("renamed"), ignore_errors=True)


def test_a_backup_that_is_put_over_the_file_is_used_at_once(services: Services, kept: Path):
    kept.replace(database(services))
    assert statuses(services) <= {"storage=queued, vstorage=written", "storage=stored, vstorage=written"}
    until(lambda: stores_agree(services))
    assert get(f"{services.storage}/log").text.count("\n") == 12
    assert services.integrity() == "ok"


def test_after_the_loss_of_the_database_what_only_vstorage_has_is_kept_aside(services: Services, kept: Path):
    lost = services.vstorage.read_text()
    with closing(sqlite3.connect(database(services))) as log, log:  # as after an import
        log.execute("INSERT INTO logs_edition (id, number) VALUES (1, 7) ON CONFLICT (id) DO UPDATE SET number = 7")
    until(lambda: os.getxattr(services.vstorage, STATE).endswith(b", 7]"))
    until(lambda: stores_agree(services))
    all_removed(database(services))
    services.kill("storage")
    services.start("storage")  # with an empty log, of edition 0
    until(lambda: stores_agree(services))
    copies = [copy for name in NAMES for copy in (services.data_dir / name).glob("vstorage-kept-*")]
    assert any(lost in copy.read_text() for copy in copies)
    kept.unlink()


@pytest.mark.parametrize("end", ["-wal", "-shm"])
def test_a_write_ahead_log_that_is_removed_takes_no_record_with_it(services: Services, kept: Path, end: str):
    kept.unlink()
    file = database(services)
    file.with_name(f"{file.name}{end}").unlink()
    assert statuses(services) <= {"storage=queued, vstorage=written", "storage=stored, vstorage=written"}
    services.kill("storage")
    services.start("storage")
    until(lambda: stores_agree(services))
    assert get(f"{services.storage}/log").text.count("\n") == 12
    assert services.integrity() == "ok"
