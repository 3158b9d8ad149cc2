"""The rows of the outbox."""

from django.db import models

from statuslog.record import EPOCH


class OutboxRecord(models.Model):
    """A record that storage has not taken yet, as JSON.

    `refused` says why storage will never take it. `due` is the time before which it is not sent: the epoch, unless the
    record was sent before and vstorage has given up its line since.
    """

    row = models.BigAutoField(primary_key=True)
    record = models.JSONField()
    refused = models.TextField(blank=True)
    due = models.DateTimeField(db_default=EPOCH)  # of the database: an older version knows no such column

    class Meta:
        # The questions that are asked all the time: the oldest that waits, and whether any does.
        indexes = (models.Index(fields=("refused", "due", "row"), name="outbox_due"),)

    def __str__(self) -> str:
        return str(self.record["line"])
