"""The log's rows."""

from django.db import models


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
        )

    def __str__(self) -> str:
        return self.line


class Fence(models.Model):
    """The time before which no service may add directly any more (one row at most).

    A service that finds another one's batch unfinished sets it, so that a request of that batch which is still
    on its way is refused when it comes: docs/adr/0006-agreement.md.
    """

    timestamp = models.DateTimeField()

    def __str__(self) -> str:
        return self.timestamp.isoformat()
