"""What the recorder and the delivery do with the outbox."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from django.db import DatabaseError, transaction
from django.db.models import Max, Min, QuerySet

from statuslog.database import engine
from statuslog.outbox import place
from statuslog.outbox.models import OutboxRecord
from statuslog.record import EPOCH, Record, RecordError
from statuslog.recorder import OutboxError

log = logging.getLogger(__name__)

SOME = 20


class Outbox:
    """The outbox of this service. At most `most` records are kept in it."""

    def __init__(self, most: int) -> None:
        self.most = most

    def put(self, records: Sequence[Record]) -> None:
        """Keep the records, all or none; when it returns they are on the disk. Raises OutboxError."""
        self.hold()
        try:
            with transaction.atomic(durable=True):
                if not self._has_room(len(records)):
                    raise OutboxError(f"the outbox is full (OUTBOX_MAX_RECORDS={self.most})")
                OutboxRecord.objects.bulk_create(OutboxRecord(record=record.to_json()) for record in records)
        except DatabaseError as error:
            raise OutboxError(f"the outbox cannot be written: {error}") from error

    def hold(self) -> None:
        """Bring back what waited in a file that was removed or replaced."""
        place.hold()

    def check(self) -> None:
        """Raise OutboxError if records cannot be read or put now."""
        try:
            engine.check_place()
            self.is_empty()
        except DatabaseError as error:
            raise OutboxError(f"the outbox cannot be read: {error}") from error

    def _has_room(self, count: int) -> bool:
        ends = OutboxRecord.objects.aggregate(first=Min("row"), last=Max("row"))
        # An upper bound that costs nothing. Where rows in between are gone it is too high, and they are counted.
        held = 0 if ends["last"] is None else ends["last"] - ends["first"] + 1
        return held + count <= self.most or OutboxRecord.objects.count() + count <= self.most

    def oldest(self, count: int) -> dict[int, Record]:
        """Up to `count` records that wait and were never sent, oldest first, by their rows."""
        return _records(_waiting().filter(due=EPOCH).order_by("due", "row"), count)

    def late(self, count: int) -> dict[int, Record]:
        """Up to `count` records that are to be sent again now, by their rows; vstorage may lack their lines."""
        return _records(_waiting().filter(due__gt=EPOCH).order_by("due", "row"), count)

    def remove(self, rows: Sequence[int]) -> None:
        """Forget records that storage has."""
        OutboxRecord.objects.filter(row__in=rows).delete()

    def refuse(self, row: int, reason: str) -> None:
        """Set a record aside that storage will never take."""
        OutboxRecord.objects.filter(row=row).update(refused=reason)

    def defer(self, row: int, due: datetime) -> None:
        """Keep a record that is not to be sent before that time."""
        OutboxRecord.objects.filter(row=row).update(due=due)

    def counts(self) -> Mapping[str, int]:
        """How many records wait, and how many were refused; nothing if that cannot be read."""
        try:
            return self._counts()
        except DatabaseError:
            return {}

    def _counts(self) -> Mapping[str, int]:
        waiting = OutboxRecord.objects.filter(refused="").count()
        return {"waiting": waiting, "refused": OutboxRecord.objects.count() - waiting}

    def is_empty(self) -> bool:
        """Nothing waits in it that is to be sent now."""
        return not _waiting().exists()

    def has_early(self) -> bool:
        """A record waits in it whose time has not come yet."""
        now = datetime.now(UTC)
        # Not due are also those that are too long for storage, which are not early.
        some = _records(OutboxRecord.objects.filter(refused="", due__gt=now).order_by("-due"), SOME)
        return any(made.timestamp > now for made in some.values())


def _waiting() -> QuerySet[OutboxRecord]:
    return OutboxRecord.objects.filter(refused="", due__lte=datetime.now(UTC))


def _records(rows: QuerySet[OutboxRecord], count: int) -> dict[int, Record]:
    found = {}
    for row in rows[:count]:
        try:
            found[row.row] = Record.from_json(row.record)
        except RecordError as error:  # a newer version has put it there, say: it must be in nobody's way
            log.error("row %d of the outbox cannot be read, and is set aside: %s", row.row, error)
            OutboxRecord.objects.filter(row=row.row).update(refused=f"this version cannot read it: {error}")
    return found
