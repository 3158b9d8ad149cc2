"""The outbox's file is removed, replaced or damaged: what waits in it is nowhere else."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from statuslog.outbox import place
from statuslog.outbox.management.commands.prepare import Command
from statuslog.outbox.models import OutboxRecord
from statuslog.outbox.store import Outbox
from statuslog.recorder import OutboxError
from tests.statuslog.test_outbox import records


@pytest.fixture
def file(
    transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, django_db_blocker: Any
) -> Iterator[Path]:
    """An outbox of its own."""
    file = tmp_path / "service" / "outbox.sqlite3"
    file.parent.mkdir()
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "NAME", file)
    monkeypatch.setattr(place, "file", lambda: file)
    call_command("migrate", verbosity=0)
    yield file
    connection.close()


def removed(file: Path) -> None:
    file.unlink()


def folder_removed(file: Path) -> None:
    shutil.rmtree(file.parent)


def renamed(file: Path) -> None:
    file.rename(file.with_name("renamed"))


def emptied(file: Path) -> None:
    file.with_name("new").touch()
    file.with_name("new").replace(file)


def junk(file: Path) -> None:
    file.with_name("new").write_bytes(b"no database" * 1000)
    file.with_name("new").replace(file)


def older(file: Path) -> None:
    """An outbox that has one record more, and lacks the others."""
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(file.with_name("new"))) as target:
        source.backup(target)
        target.execute("DELETE FROM outbox_outboxrecord WHERE row > 1")
        target.commit()
    file.with_name("new").replace(file)


@pytest.mark.parametrize("fault", [removed, folder_removed, renamed, emptied, junk, older])
@pytest.mark.parametrize("by", ["put", "hold"])
def test_what_waited_is_written_again(file: Path, fault: Callable[[Path], None], by: str):
    outbox, given = Outbox(most=10), records(4)
    outbox.put(given[:3])
    fault(file)
    if by == "put":
        outbox.put(given[3:])
    else:
        outbox.hold()
        outbox.put(given[3:])
    outbox.check()
    expected = {made.id for made in given}
    assert {made.id for made in outbox.oldest(10).values()} == expected
    connection.close()  # as a restart does
    assert {made.id for made in outbox.oldest(10).values()} == expected
    assert len(outbox.oldest(10)) == 4
    if fault is not older:
        assert file.stat().st_mode & 0o777 == 0o600
    assert not list(file.parent.glob("*.rescued-*"))


def test_it_is_written_again_once_though_other_threads_have_it_open(file: Path):
    outbox = Outbox(most=10)
    outbox.put(records(3))
    with ThreadPoolExecutor(1) as other:
        other.submit(outbox.counts).result()
        file.unlink()
        outbox.hold()
        outbox.remove(list(outbox.oldest(10)))
        outbox.hold()
        assert outbox.counts() == {"waiting": 0, "refused": 0}
        assert other.submit(outbox.counts).result() == {"waiting": 0, "refused": 0}
        other.submit(lambda: connection.close()).result()


def test_nothing_is_deleted(file: Path):
    Outbox(most=10).put(records(1))
    junk(file)
    Outbox(most=10).hold()
    (aside,) = file.parent.glob("outbox.sqlite3.set-aside-*")
    assert aside.read_bytes().startswith(b"no database")


def test_where_it_cannot_be_written_again_nothing_is_claimed(file: Path):
    outbox = Outbox(most=10)
    outbox.put(records(1))
    shutil.rmtree(file.parent)
    file.parent.write_text("in the way")
    with pytest.raises(OutboxError, match="removed or replaced"):
        outbox.put(records(1))
    with pytest.raises(OutboxError):
        outbox.check()
    assert outbox.counts() == {}
    file.parent.unlink()
    outbox.put(records(1))
    assert outbox.counts() == {"waiting": 2, "refused": 0}


@pytest.mark.parametrize("content", [b"no database" * 1000, None])
def test_a_damaged_one_is_set_aside_at_the_start(file: Path, content: bytes | None, caplog: pytest.LogCaptureFixture):
    Outbox(most=1000).put(records(500))
    connection.close()
    damaged = content or file.read_bytes()[:8192] + b"\xff" * (file.stat().st_size - 8192)
    file.write_bytes(damaged)
    call_command(Command())
    assert OutboxRecord.objects.count() == 0
    (aside,) = file.parent.glob("outbox.sqlite3.set-aside-*")
    assert aside.read_bytes() == damaged
    (line,) = [message for message in caplog.messages if "set aside" in message]
    assert str(aside) in line
