"""Copies of the database, and one put in its place: on real files, with a connection that stays open."""

import fcntl
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any, cast

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from pytest_django import Settings

from logs import changing, copies, in_use
from logs.models import Edition, Fence, LogRecord
from statuslog.sqlite.base import DatabaseWrapper
from tests.storage.conftest import MOMENT

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("storage.urls"),
    pytest.mark.sqlite,
]


@pytest.fixture(autouse=True)
def two_records(post) -> None:
    post("a\nb")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of a log with the lines a and b."""
    file = tmp_path / "copy"
    assert copies.copy(copies.live_file(), file) == 2
    return file


@pytest.fixture
def another() -> Iterator[sqlite3.Connection]:
    """Another process's connection to the log, which stays open."""
    with closing(sqlite3.connect(copies.live_file(), isolation_level=None)) as other:
        other.execute("SELECT * FROM logs_logrecord").fetchall()
        yield other


def change(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        for statement in statements:
            database.execute(statement)


def newest_row() -> int:
    return LogRecord.objects.order_by("-row").values_list("row", flat=True)[0]


def test_a_copy_is_one_whole_file(copy: Path):
    copies.check(copy)
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


def test_a_copy_has_what_was_there_when_it_began(tmp_path: Path, post, another: sqlite3.Connection):
    file = tmp_path / "copy"
    another.execute("BEGIN IMMEDIATE")  # a writer in the middle of a transaction
    another.execute("DELETE FROM logs_logrecord")
    assert copies.copy(copies.live_file(), file) == 2
    another.execute("ROLLBACK")


def test_the_copy_is_put_in_place_under_open_connections(
    copy: Path, post, lines: Callable[[], list[str]], tmp_path: Path, another: sqlite3.Connection
):
    post("c")
    get_user_model().objects.create_superuser("of today")
    copies.make_ready(copy)
    assert copies.put_in_place(copy, tmp_path / "old") == 3
    assert lines() == ["a", "b"]
    assert another.execute("SELECT count(*) FROM logs_logrecord").fetchone() == (2,)
    assert not get_user_model().objects.exists()
    assert post("d").status_code == 201
    assert another.execute("SELECT line FROM logs_logrecord ORDER BY row").fetchall() == [("a",), ("b",), ("d",)]
    copies.check(copies.live_file())
    assert connection.cursor().execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_old_log_is_kept_and_can_be_restored(copy: Path, post, lines: Callable[[], list[str]], tmp_path: Path):
    post("c")
    copies.make_ready(copy)
    copies.put_in_place(copy, tmp_path / "old")
    assert copies.make_ready(tmp_path / "old") == 3
    copies.put_in_place(tmp_path / "old", tmp_path / "older")
    assert lines() == ["a", "b", "c"]


@pytest.mark.parametrize("of_the_copy", [0, 7])
def test_a_new_edition_begins(copy: Path, tmp_path: Path, of_the_copy: int):
    change(copy, f"INSERT INTO logs_edition (id, number) VALUES (1, {of_the_copy})")
    Edition.objects.create(pk=1, number=3)
    copies.make_ready(copy)
    copies.put_in_place(copy, tmp_path / "old")
    assert Edition.current() not in (3, of_the_copy)


@pytest.mark.parametrize("kept", [2, 0], ids=["two records", "an empty log"])
def test_who_follows_the_log_misses_nothing_of_after(copy: Path, tmp_path: Path, client: Client, post, kept: int):
    if not kept:
        change(copy, "DELETE FROM logs_logrecord", "DELETE FROM sqlite_sequence")
    post("c\nd")
    follower = iter(client.get("/log", {"follow": "1"}).streaming_content)  # type: ignore[attr-defined]
    assert next(follower) == b""
    seen_before = newest_row()
    copies.put_in_place(copy, tmp_path / "old")
    post("e\nf\ng")  # of which a follower would miss one or two, were the rows counted as in the copy
    received = b""
    while received.count(b"\n") < 3:
        received += next(follower)
    assert received == b"e\nf\ng\n"
    assert newest_row() == seen_before + 3


def test_the_fence_of_then_holds_no_more(copy: Path, tmp_path: Path):
    change(copy, "INSERT INTO logs_fence VALUES (1, '2999-01-01 00:00:00')")
    Fence.objects.create(pk=1, timestamp=MOMENT)
    copies.make_ready(copy)
    copies.put_in_place(copy, tmp_path / "old")
    assert not Fence.objects.exists()


def test_an_older_database_is_migrated_first(copy: Path, tmp_path: Path, lines: Callable[[], list[str]]):
    copies.migrate(copy, "logs", "0002")
    assert copies.make_ready(copy) == 2
    copies.put_in_place(copy, tmp_path / "old")
    assert lines() == ["a", "b"]
    assert Edition.current() == 1


def test_what_was_made_before_space_could_be_given_back_can_do_it_after(copy: Path, tmp_path: Path):
    with closing(sqlite3.connect(copy, isolation_level=None)) as database:
        database.execute("PRAGMA auto_vacuum=NONE")
        database.execute("VACUUM")
    copies.make_ready(copy)
    copies.put_in_place(copy, tmp_path / "old")
    assert connection.cursor().execute("PRAGMA auto_vacuum").fetchone() == (2,)


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        (["INSERT INTO django_migrations (app, name, applied) VALUES ('logs', '9999_new', '')"], "logs.9999_new"),
        (["DROP TABLE logs_logrecord"], "another program"),
        (["PRAGMA writable_schema=1", "DELETE FROM sqlite_master WHERE name = 'log_order'"], "damaged"),
    ],
)
def test_what_must_not_be_restored(copy: Path, statements: list[str], reason: str):
    change(copy, *statements)
    with pytest.raises(copies.CopyError, match=reason):
        copies.make_ready(copy)


@pytest.mark.parametrize("content", [b"", b"a\nb\n", b"SQLite format 3\0"])
def test_what_is_no_database(tmp_path: Path, content: bytes):
    file = tmp_path / "copy"
    file.write_bytes(content)
    with pytest.raises(copies.CopyError, match=r"damaged, or not a database|another program"):
        copies.make_ready(file)


def test_half_a_file(copy: Path):
    with copy.open("r+b") as file:
        file.truncate(copy.stat().st_size // 2)
    with pytest.raises(copies.CopyError):
        copies.make_ready(copy)


@pytest.fixture
def restore(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Settings) -> Callable[..., str]:
    """Hand the command a backup and an answer; returns what it prints. It works in a folder of its own."""
    settings.DATA_DIR = tmp_path / "storage"
    settings.DATA_DIR.mkdir()

    def restore(backup: Path, answer: str = "yes\n", size: int | None = None) -> str:
        content = backup.read_bytes()
        monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(content + answer.encode())))
        out = StringIO()
        call_command("restore", size=len(content) if size is None else size, stdout=out)
        return out.getvalue()

    return restore


def left(folder: Path) -> list[str]:
    """The files that are no locks."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock" and path.name != "in-use")


def test_a_restore_keeps_the_old_database_for_its_owner_only(
    copy: Path, restore: Callable[..., str], settings: Settings, post, lines: Callable[[], list[str]]
):
    post("c")
    printed = restore(copy).splitlines()
    assert printed[0] == "the backup has 2 records, the log has 3"
    assert printed[1].startswith("restored; the old database, 3 records, is kept in ")
    (old,) = left(settings.DATA_DIR)
    assert (settings.DATA_DIR / old).stat().st_mode & 0o777 == 0o600
    assert lines() == ["a", "b"]
    assert re.match(r"1 older one beside it, [\d.]+ MiB with it: remove this one", restore(copy).splitlines()[2])


@pytest.mark.parametrize("answer", ["no\n", "", "yes please\n"])
def test_without_a_yes_nothing_is_restored(copy: Path, restore: Callable[..., str], settings: Settings, post, answer):
    post("c")
    with pytest.raises(CommandError, match=r"^nothing was restored$"):
        restore(copy, answer)
    assert LogRecord.objects.count() == 3
    assert left(settings.DATA_DIR) == []


def test_a_backup_that_does_not_arrive_whole(copy: Path, restore: Callable[..., str], settings: Settings):
    with pytest.raises(CommandError, match=r"did not arrive whole; nothing was restored"):
        restore(copy, "", size=copy.stat().st_size + 1)
    assert left(settings.DATA_DIR) == []


def test_a_restore_that_fails_changes_nothing(
    copy: Path, restore: Callable[..., str], settings: Settings, lines: Callable[[], list[str]]
):
    change(copy, "DROP TABLE logs_edition")
    with pytest.raises(CommandError, match="nothing was restored"):
        restore(copy)
    assert lines() == ["a", "b"]
    assert LogRecord.objects.count() == 2
    assert left(settings.DATA_DIR) == []


def test_a_restore_waits_for_its_turn(copy: Path, restore: Callable[..., str]):
    with Path(f"{copies.live_file()}.lock").open("a") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)  # somebody writes
        with (
            cast(DatabaseWrapper, connection).transaction_timeout(0.1),
            pytest.raises(CommandError, match=r"its turn did not come .* nothing was restored"),
        ):
            restore(copy)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [("restore", {"size": 1}), ("prune", {"keep_last": 1, "yes": True}), ("reset", {"yes": True}), ("import_log", {})],
)
def test_one_command_at_a_time_changes_the_log(
    copy: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, arguments: Any
):
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(changing, "PATIENCE", 0.2)
    with changing.alone("restore"):
        assert changing.under_way() == "restore"
        with pytest.raises(CommandError, match=r"^another command is under way \(restore\); .* nothing was changed$"):
            call_command(command, **arguments)
    assert changing.under_way() == ""
    assert LogRecord.objects.count() == 2


def test_the_name_of_a_command_that_was_killed_holds_up_nobody(settings: Settings, tmp_path: Path):
    settings.DATA_DIR = tmp_path
    (tmp_path / "change.lock").write_text("prune")
    assert changing.under_way() == ""
    with changing.alone("import", shared=True, patience=0), changing.alone("import", shared=True, patience=0):
        assert changing.under_way() == "import"


def test_a_command_that_would_work_on_another_database_refuses(settings: Settings, tmp_path: Path, capsys: Any):
    settings.DATA_DIR = tmp_path
    used = {"ENGINE": "storage.postgres", "NAME": "log", "HOST": "db", "PORT": "", "PASSWORD": "secret"}
    in_use.tell(tmp_path, used)  # as a storage that runs does
    with pytest.raises(
        CommandError, match=r"the running storage uses PostgreSQL, log at db, and .* DATABASE_URL"
    ) as error:
        call_command("backup")
    assert "secret" not in str(error.value)
    os.close(in_use._held.pop())
    call_command("prune", keep_last=9, yes=True, stdout=StringIO())
