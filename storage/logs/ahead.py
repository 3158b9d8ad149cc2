"""Refuses posted records whose time has not come yet: all later records would have to follow them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from logs.models import LogRecord
from statuslog.record import AHEAD, FAR, Record, RecordError, show_timestamp


class Early(RecordError):
    """A record of a time that has not come yet; the text names it."""


def check_times(records: Sequence[Record], place: str, *, of_a_service: bool) -> None:
    """Refuse records from more than `AHEAD` ahead; raises Early. `place` is what the body's items are called.

    A service gives each record a later time than the newest one has. So when the clock was set back, its records may
    be as far ahead as the log is, but for a clock that was wrong by `FAR` or more.
    """
    now = datetime.now(UTC)
    if max((record.timestamp for record in records), default=now) <= now + AHEAD:
        return
    latest = now
    if of_a_service:
        latest = max(now, min(_newest() or now, now + FAR))
    for number, record in enumerate(records, start=1):
        if record.timestamp > latest + AHEAD:
            where = f"{place} {number}: " if place else ""
            minutes = AHEAD.seconds // 60
            time, clock = show_timestamp(record.timestamp), show_timestamp(now)
            raise Early(f"{where}its time {time} is more than {minutes} minutes ahead of storage's clock ({clock})")


def _newest() -> datetime | None:
    newest: Iterable[datetime] = LogRecord.objects.order_by("-timestamp").values_list("timestamp", flat=True)[:1]
    return next(iter(newest), None)
