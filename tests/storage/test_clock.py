"""`manage.py clock`: records whose time has not come yet are taken out of the log, and into a file."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import Settings

from logs.management.commands.clock import Command
from logs.models import Edition, Fence, LogRecord
from statuslog.record import EPOCH, Record, new_id
from tests.storage.conftest import MOMENT

pytestmark = pytest.mark.django_db(transaction=True)

LATER = datetime(2099, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def keep(line: str, timestamp: datetime) -> None:
    LogRecord.objects.create(record_id=new_id(), timestamp=timestamp, received_at=EPOCH, line=line)


def test_they_are_counted(capsys: pytest.CaptureFixture[str], lines: Any):
    keep("true", MOMENT)
    keep("later", LATER)
    call_command(Command())
    assert capsys.readouterr().out == "storage: 1 record in the log from after now\n"
    assert lines() == ["true", "later"]


def test_they_are_taken_out_and_kept(capsys: pytest.CaptureFixture[str], lines: Any, folder: Path):
    keep("true", MOMENT)
    keep("two clocks", datetime.now(UTC) + timedelta(minutes=4))
    keep("later", LATER)
    keep("last", datetime.max.replace(tzinfo=UTC))
    Fence.objects.create(timestamp=LATER)
    edition = Edition.current()
    call_command(Command(), "--repair")
    (kept,) = folder.glob("*.ndjson")
    assert capsys.readouterr().out == f"storage: took 2 records from after now out of the log, into {kept}\n"
    records = [Record.from_json(json.loads(line)) for line in kept.read_text().splitlines()]
    assert [made.line for made in records] == ["later", "last"]
    assert records[0].timestamp == LATER
    assert kept.stat().st_mode & 0o777 == 0o600
    assert lines() == ["true", "two clocks"]
    assert Edition.current() == edition + 1
    assert not Fence.objects.exists()


def test_where_there_are_none_nothing_changes(capsys: pytest.CaptureFixture[str], folder: Path):
    keep("true", MOMENT)
    Fence.objects.create(timestamp=MOMENT)
    call_command(Command(), "--repair")
    assert capsys.readouterr().out == "storage: no record in the log is from after now\n"
    assert Edition.current() == 0
    assert Fence.objects.exists()
    assert list(folder.glob("*.ndjson")) == []


def test_without_a_file_nothing_is_taken_out(lines: Any, settings: Settings, folder: Path):
    keep("later", LATER)
    settings.DATA_DIR = folder / "nowhere"
    with pytest.raises(Exception, match="nothing was changed"):
        call_command(Command(), "--repair")
    assert lines() == ["later"]
