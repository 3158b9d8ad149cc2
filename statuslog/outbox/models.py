"""The rows of the outbox."""

from django.db import models


class OutboxRecord(models.Model):
    """A record that storage has not taken yet, as JSON; with `refused`, one that it never will take."""

    row = models.BigAutoField(primary_key=True)
    record = models.JSONField()
    refused = models.TextField(blank=True)

    class Meta:
        # The two questions that are asked all the time: the oldest that waits, and whether any does.
        indexes = (models.Index(fields=("refused", "row"), name="outbox_waiting"),)

    def __str__(self) -> str:
        return str(self.record["line"])
