"""Keeps the outbox's file at its path: what waits in it is nowhere else.

A file that was removed or replaced under the service is written again from what the service has open, and one that is
damaged at the start is set aside. Nothing is deleted.
"""

import json
import logging
import os
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError

from statuslog.database import DatabaseRefused
from statuslog.outbox.models import OutboxRecord
from statuslog.sqlite import check_file, rescue

log = logging.getLogger(__name__)

_rescuing = threading.Lock()


def file() -> Path:
    """The outbox's database."""
    return Path(settings.DATABASES["default"]["NAME"])


def hold() -> None:
    """Bring back what was in a file that is not at its path any more; an error is logged."""
    if not rescue.is_displaced(file()):
        return
    with _rescuing:
        try:
            with rescue.rescued(file()) as copy:
                _put_back(copy)
        except (OSError, sqlite3.Error, DatabaseError) as error:
            log.error("the outbox was removed or replaced, and cannot be written again: %s", error)
        else:
            log.warning("the outbox was removed or replaced; it was written again, with all that waited in it")


def _put_back(copy: Path) -> None:
    try:
        os.link(copy, file())
    except FileExistsError:
        try:
            check_file(file())
            _add(copy)
        except (DatabaseError, DatabaseRefused) as error:  # such as an empty file
            set_aside(str(error))
            os.link(copy, file())


def _add(copy: Path) -> None:
    """Add the rows of the copy to the outbox that is at the path now, but for those that it has."""
    known = {str(record["id"]) for record in OutboxRecord.objects.values_list("record", flat=True).iterator()}
    with closing(sqlite3.connect(copy)) as lost:
        rows = lost.execute("SELECT record ->> '$.id', json(record), refused, due FROM outbox_outboxrecord").fetchall()
    OutboxRecord.objects.bulk_create(
        OutboxRecord(record=json.loads(record), refused=refused, due=datetime.fromisoformat(due).replace(tzinfo=UTC))
        for record_id, record, refused, due in rows
        if record_id not in known
    )


def set_aside(reason: str) -> None:
    """Give the outbox's files another name, at which somebody can look at them."""
    now = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
    for end in ("-wal", "-shm", ""):
        path = file().with_name(f"{file().name}{end}")
        if path.exists():
            path.rename(path.with_name(f"{file().name}.set-aside-{now}{end}"))
    log.error(
        "the outbox cannot be used (%s); it was set aside as %s.set-aside-%s, and is empty now", reason, file(), now
    )
