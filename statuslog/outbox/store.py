"""What the recorder and the delivery do with the outbox."""

from collections.abc import Mapping, Sequence

from django.db import DatabaseError, transaction
from django.db.models import Max, Min

from statuslog.outbox.models import OutboxRecord
from statuslog.record import Record
from statuslog.recorder import OutboxError


class Outbox:
    """The outbox of this service. At most `most` records are kept in it."""

    def __init__(self, most: int) -> None:
        self.most = most

    def put(self, records: Sequence[Record]) -> None:
        """Keep the records, all or none; when it returns they are on the disk. Raises OutboxError."""
        try:
            with transaction.atomic(durable=True):
                ends = OutboxRecord.objects.aggregate(first=Min("row"), last=Max("row"))
                # An upper bound, found without counting: rows go from the front.
                held = 0 if ends["last"] is None else ends["last"] - ends["first"] + 1
                if held + len(records) > self.most:
                    raise OutboxError(f"the outbox is full (OUTBOX_MAX_RECORDS={self.most})")
                OutboxRecord.objects.bulk_create(OutboxRecord(record=record.to_json()) for record in records)
        except DatabaseError as error:
            raise OutboxError(f"the outbox cannot be written: {error}") from error

    def oldest(self, count: int) -> dict[int, Record]:
        """Up to `count` records that wait, oldest first, by their rows."""
        rows = OutboxRecord.objects.filter(refused="").order_by("row")[:count]
        return {row.row: Record.from_json(row.record) for row in rows}

    def remove(self, rows: Sequence[int]) -> None:
        """Forget records that storage has."""
        OutboxRecord.objects.filter(row__in=rows).delete()

    def refuse(self, row: int, reason: str) -> None:
        """Set a record aside that storage will never take."""
        OutboxRecord.objects.filter(row=row).update(refused=reason)

    def counts(self) -> Mapping[str, int]:
        """How many records wait, and how many were refused."""
        waiting = OutboxRecord.objects.filter(refused="").count()
        return {"waiting": waiting, "refused": OutboxRecord.objects.count() - waiting}

    def is_empty(self) -> bool:
        return not OutboxRecord.objects.filter(refused="").exists()
