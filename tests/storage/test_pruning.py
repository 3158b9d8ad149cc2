"""Removing the oldest records."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from pytest_django import Settings

from logs import copies, import_mark, keeper, pruning
from logs.limits import Limits
from logs.management.commands.prune import Command
from logs.models import Edition, LogRecord
from statuslog.env import EnvError
from tests.quantities import DURATIONS, SIZES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("storage.urls")]

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
LINES = ["zero", "one", "two", "three", "four"]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> None:
    monkeypatch.setattr("logs.pruning.time.sleep", lambda seconds: None)
    settings.DATA_DIR = tmp_path


@pytest.fixture
def five() -> None:
    """A line for each of five days, the last one of today."""
    keep(LINES)


def keep(lines: list[str]) -> None:
    today = datetime.now(UTC)
    LogRecord.objects.bulk_create(
        LogRecord(
            record_id=UUID(int=number),
            timestamp=today - timedelta(days=len(lines) - 1 - number),
            received_at=today,
            line=line,
        )
        for number, line in enumerate(lines)
    )


def prune(*arguments: str) -> str:
    out = StringIO()
    call_command("prune", *arguments, stdout=out)
    return out.getvalue()


def log(client: Client) -> list[str]:
    return client.get("/log").getvalue().decode().splitlines()


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (["--keep-last", "2"], ["three", "four"]),
        (["--keep-last", "0"], []),
        (["--keep-last", "5"], LINES),
        (["--keep-last", "9"], LINES),
        (["--older-than", "36h"], ["three", "four"]),
        (["--older-than", "1w"], LINES),
        (["--older-than", "0m"], []),
        (["--max-bytes", "11"], ["three", "four"]),  # their ends are counted, too
        (["--max-bytes", "10"], ["four"]),
        (["--max-bytes", "4"], []),
        (["--max-bytes", "1K"], LINES),
    ],
)
def test_what_stays(five: None, client: Client, arguments: list[str], left: list[str]):
    printed = prune(*arguments, "--yes")
    assert log(client) == left == list(LogRecord.objects.values_list("line", flat=True))
    gone = len(LINES) - len(left)
    assert printed.startswith(f"removed {gone} of 5 records, all before 20" if gone else "nothing to remove")
    assert client.get("/edition").json() == {"edition": 1 if gone else 0}
    assert Edition.log_begins() is None


def test_an_empty_log():
    for arguments in (["--keep-last", "0"], ["--older-than", "0m"], ["--max-bytes", "0"]):
        assert prune(*arguments, "--yes") == "nothing to remove\n"


def test_bytes_are_those_of_utf_8(client: Client):
    keep(["äöü", "€"])
    prune("--max-bytes", "10", "--yes")
    assert log(client) == ["€"]


def test_pages_of_the_bytes(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pruning, "PAGE", 2)
    keep([f"line {number}" for number in range(9)])
    prune("--max-bytes", str(5 * 7 + 6), "--yes")
    assert log(client) == [f"line {number}" for number in range(4, 9)]


def test_records_of_one_time_stay_together(client: Client):
    LogRecord.objects.bulk_create(
        LogRecord(record_id=UUID(int=number), timestamp=NOW, received_at=NOW, line=f"{number}") for number in range(4)
    )
    prune("--keep-last", "2", "--yes")
    assert log(client) == ["0", "1", "2", "3"]
    prune("--max-bytes", "7", "--yes")
    assert log(client) == []


def test_a_dry_run_changes_nothing(five: None, client: Client):
    assert prune("--keep-last", "2", "--dry-run").startswith("would remove 3 of 5 records, all before ")
    assert log(client) == LINES
    assert client.get("/edition").json() == {"edition": 0}


@pytest.mark.parametrize(("answer", "left"), [("yes", 1), ("y", 5), ("", 5)])
def test_it_asks(five: None, monkeypatch: pytest.MonkeyPatch, answer: str, left: int):
    asked = []

    def ask(question: str) -> str:
        asked.append(question)
        return answer

    monkeypatch.setattr("builtins.input", ask)
    if left == 5:
        with pytest.raises(CommandError, match="nothing was removed"):
            prune("--keep-last", "1")
    else:
        prune("--keep-last", "1")
    assert asked[0].startswith("Remove 4 of 5 records, all before ")
    assert LogRecord.objects.count() == left


@pytest.mark.django_db
@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--keep-last", "1", "--older-than", "1d"],
        ["--keep-last", "-1"],
        ["--keep-last", "some"],
        ["--older-than", "90"],
        ["--older-than", "999999999w"],
        ["--max-bytes", "1.5"],
        ["--max-bytes", "5%"],
    ],
)
def test_nonsense(five: None, arguments: list[str]):
    with pytest.raises(CommandError):
        prune(*arguments, "--yes")
    assert LogRecord.objects.count() == 5


def test_it_is_out_of_the_log_before_it_is_deleted(five: None, client: Client, monkeypatch: pytest.MonkeyPatch):
    tag = client.get("/log")["ETag"]
    seen: list[list[str]] = []
    monkeypatch.setattr(pruning, "FIRST_STEP", 1)
    monkeypatch.setattr(pruning, "LARGEST_STEP", 1)
    found = pruning.plan(Limits(keep_last=2))
    assert found
    pruning.begin(found)
    assert LogRecord.objects.count() == 5
    assert client.get("/log", headers={"If-None-Match": tag}).status_code == 200
    pruning.finish(lambda done, total: seen.append(log(client)))
    assert seen == [["three", "four"]] * 4
    assert LogRecord.objects.count() == 2


def test_a_prune_of_a_prune_that_was_broken_off(five: None, client: Client):
    found = pruning.plan(Limits(keep_last=2))
    assert found
    pruning.begin(found)
    assert pruning.plan(Limits(keep_last=2)) is None
    assert client.get("/log?since=5d&limit=1").getvalue() == b"three\n"
    assert prune("--keep-last", "3", "--yes") == "nothing to remove\n"
    assert LogRecord.objects.count() == 2


def test_a_second_prune_never_brings_records_back(five: None, client: Client):
    for last in (1, 3):
        if found := pruning.plan(Limits(keep_last=last)):
            pruning.begin(found)
    Edition.begin()
    assert log(client) == ["four"]
    pruning.finish()
    assert list(LogRecord.objects.values_list("line", flat=True)) == ["four"]


def test_a_restore_ends_a_prune(five: None, monkeypatch: pytest.MonkeyPatch):
    found = pruning.plan(Limits(keep_last=0))
    assert found
    pruning.begin(found)
    monkeypatch.setattr(pruning, "FIRST_STEP", 1)
    monkeypatch.setattr(pruning, "LARGEST_STEP", 1)

    def restore(done: int, total: int) -> None:
        Edition.objects.update(pruned_before=None)

    pruning.finish(restore)
    assert LogRecord.objects.count() == 4
    assert pruning._delete(found.before, 1) == 0  # the restore came right before this transaction
    assert LogRecord.objects.count() == 4


@pytest.mark.sqlite
def test_the_space_is_given_back(client: Client):
    file = Path(connection.settings_dict["NAME"])
    keep(["a line of some length" * 100] * 2000)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.fetchall()
    before = file.stat().st_size
    prune("--keep-last", "10", "--yes")
    assert file.stat().st_size < before / 3
    copies.check(file)
    assert len(log(client)) == 10


@pytest.mark.sqlite
def test_the_space_of_a_reset_is_given_back_too():
    file = Path(connection.settings_dict["NAME"])
    keep(["a line of some length" * 100] * 2000)
    call_command("reset", "--yes", stdout=StringIO())
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.fetchall()
    before = file.stat().st_size
    keeper.work(daily=False)
    assert file.stat().st_size < before / 3


def test_a_step_takes_as_long_as_it_should():
    assert pruning._next(1000, 0.02) == 2000
    assert pruning._next(1000, 0.08) == 500
    assert pruning._next(1000, 0.0) == 2000
    assert pruning._next(200, 9.0) == pruning.FIRST_STEP
    assert pruning._next(5000, 0.001) == pruning.LARGEST_STEP


def test_the_daily_work(five: None, client: Client, settings: Settings):
    settings.PRUNE = Limits(keep_last=2)
    keeper.work(daily=False)
    assert log(client) == LINES
    keeper.work(daily=True)
    assert log(client) == ["three", "four"]
    assert LogRecord.objects.count() == 2


def test_by_default_all_is_kept(five: None, settings: Settings):
    assert Limits() == settings.PRUNE
    keeper.work(daily=True)
    assert LogRecord.objects.count() == 5


def test_the_strictest_setting_counts(five: None, client: Client, settings: Settings):
    settings.PRUNE = Limits(older_than=timedelta(days=3, hours=12), keep_last=3, max_bytes=11)
    keeper.work(daily=True)
    assert log(client) == ["three", "four"]


def test_the_daily_work_ends_what_was_broken_off(five: None):
    found = pruning.plan(Limits(keep_last=2))
    assert found
    pruning.begin(found)
    keeper.work(daily=False)
    assert LogRecord.objects.count() == 2


def test_the_daily_work_lets_vstorage_follow_an_import_that_was_killed(five: None, settings: Settings):
    with pytest.raises(MemoryError), import_mark.marked(settings.DATA_DIR):
        raise MemoryError
    edition = Edition.current()
    keeper.work(daily=False)
    keeper.work(daily=False)
    assert Edition.current() == edition + 1


def test_only_one_deletes(five: None, settings: Settings):
    settings.PRUNE = Limits(keep_last=0)
    with pruning.alone() as alone:
        assert alone
        keeper.work(daily=True)
        assert LogRecord.objects.count() == 5
        assert prune("--keep-last", "2", "--yes").endswith("storage is deleting already, and deletes these too\n")
    keeper.work(daily=False)
    assert LogRecord.objects.count() == 2


def test_what_fails_is_tried_again(five: None, settings: Settings, caplog: pytest.LogCaptureFixture):
    settings.PRUNE = Limits(keep_last=2)
    settings.DATA_DIR = settings.DATA_DIR / "nowhere"
    keeper.work(daily=True)
    assert "it will be tried again" in caplog.text
    assert LogRecord.objects.count() == 5


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("older_than", "keep_last", "max_bytes", "limits"),
    [
        ("", "", "", Limits()),
        ("90d", "", "", Limits(older_than=timedelta(days=90))),
        ("2w", "1000", "1G", Limits(timedelta(weeks=2), 1000, 2**30)),
        ("90m", "", "500M", Limits(timedelta(minutes=90), None, 500 * 2**20)),
    ],
)
def test_settings(older_than: str, keep_last: str, max_bytes: str, limits: Limits):
    assert Limits.of_settings(older_than, keep_last, max_bytes) == limits


@pytest.mark.parametrize(("text", "meant"), DURATIONS.items())
def test_an_age(text: str, meant: timedelta):
    assert Limits.of_settings(text, "", "").older_than == meant
    options = vars(Command().create_parser("manage.py", "prune").parse_args(["--older-than", text]))
    assert options["older_than"] == meant


@pytest.mark.parametrize(("text", "meant"), SIZES.items())
def test_a_size(text: str, meant: int):
    assert Limits.of_settings("", "", text).max_bytes == meant
    options = vars(Command().create_parser("manage.py", "prune").parse_args(["--max-bytes", text]))
    assert options["max_bytes"] == meant


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["--older-than", "1M"], "'1M': must be a duration: .* such as 90s, 15m"),
        (["--max-bytes", "5%"], "'5%': must be a number of bytes"),
        (["--keep-last", "1K"], "'1K': must be a whole number"),
    ],
)
def test_a_wrong_limit_is_refused_with_the_form(five: None, arguments: list[str], wanted: str):
    with pytest.raises(CommandError, match=wanted):
        prune(*arguments, "--yes")
    assert LogRecord.objects.count() == 5


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("values", "name"),
    [
        (("90", "", ""), "PRUNE_OLDER_THAN='90': set it to a duration: .* such as 90s, 15m, 1h30m, 2d or 1w"),
        (("1000000d", "", ""), "PRUNE_OLDER_THAN='1000000d': .* at most 365000d"),
        (("", "-1", ""), "PRUNE_KEEP_LAST='-1': set it to a whole number"),
        (("", "", "1.5"), "PRUNE_MAX_BYTES='1.5': set it to a number of bytes, .* such as 1048576, 500M or 1.5G"),
        (("", "", "5%"), "PRUNE_MAX_BYTES='5%': set it to a number of bytes"),
    ],
)
def test_wrong_settings(values: tuple[str, str, str], name: str):
    with pytest.raises(EnvError, match=name):
        Limits.of_settings(*values)


@pytest.mark.sqlite
def test_a_new_database_can_be_made_smaller():
    assert pruning._pragma("auto_vacuum") == 2


def test_backup_and_restore_name_the_tools_of_postgresql(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "vendor", "postgresql")
    for command in (["backup"], ["restore", "--size=1"]):
        with pytest.raises(CommandError, match="use pg_dump and pg_restore"):
            call_command(*command)
