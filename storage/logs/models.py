"""The log's rows."""

from datetime import UTC, datetime, timedelta

from django.db import models

from logs.thinning import TenMinutes

CLOCKS_DIFFER = timedelta(seconds=5)  # of two hosts that are well kept


class LogRecord(models.Model):
    """One line of the log, with the values of its record as far as they are known.

    `row` counts the arrivals; the log's order is (timestamp, row).
    """

    row = models.BigAutoField(primary_key=True)
    record_id = models.UUIDField("id", unique=True)
    service = models.CharField(max_length=255, blank=True)
    instance = models.CharField(max_length=255, blank=True)
    timestamp = models.DateTimeField()
    host_uptime_seconds = models.FloatField(null=True, blank=True)
    container_uptime_seconds = models.FloatField(null=True, blank=True)
    disk_free_bytes = models.BigIntegerField(null=True, blank=True)
    disk_total_bytes = models.BigIntegerField(null=True, blank=True)
    line = models.TextField()
    received_at = models.DateTimeField()

    class Meta:
        verbose_name = "record"
        ordering = ("timestamp", "row")
        indexes = (
            models.Index(fields=("timestamp", "row"), name="log_order"),
            models.Index(fields=("service", "timestamp"), name="log_service"),
            models.Index(fields=("instance", "timestamp"), name="log_instance"),
            models.Index("service", TenMinutes("timestamp"), "disk_free_bytes", name="log_disk"),
        )

    def __str__(self) -> str:
        return self.line

    @property
    def is_ahead(self) -> bool:
        """Its time has not come yet: a clock was wrong, here or where it was made."""
        return self.timestamp > datetime.now(UTC) + CLOCKS_DIFFER


class Edition(models.Model):
    """Which edition of the log this is: a new one begins when its past is changed, other than by a POST (one row
    at most).

    The services write vstorage anew when they see a new one: docs/adr/0008-editions.md.
    """

    number = models.PositiveBigIntegerField(default=0)
    # While a prune deletes: what is older counts as gone already (pruning.py).
    pruned_before = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.number)

    @classmethod
    def current(cls) -> int:
        return cls.objects.values_list("number", flat=True).first() or 0

    @classmethod
    def log_begins(cls) -> datetime | None:
        """The time that the log begins at, if it is pruned now: rows before are still to be deleted."""
        return cls.objects.values_list("pruned_before", flat=True).first()

    @classmethod
    def begin(cls, pruned_before: datetime | None = None) -> None:
        """Begin a new edition, in the transaction that changes the log's past or right after the last of them."""
        times = [time for time in (cls.log_begins(), pruned_before) if time is not None]
        values = {"number": cls.current() + 1, "pruned_before": max(times, default=None)}
        cls.objects.update_or_create(pk=1, defaults=values)


class Fence(models.Model):
    """The time before which no service may add directly any more (one row at most).

    A service that finds another one's batch unfinished sets it, so that a request of that batch which is still
    on its way is refused when it comes: docs/adr/0006-agreement.md.
    """

    timestamp = models.DateTimeField()

    def __str__(self) -> str:
        return self.timestamp.isoformat()
