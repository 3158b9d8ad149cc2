"""Which services and instances have records, without looking at each record."""

from typing import Literal

from logs.models import LogRecord

LABELS = 50


def labels(field: Literal["service", "instance"]) -> list[str]:
    """The first by name: from one to the next in the index, over all the records of each."""
    rows = LogRecord.objects.order_by(field, "timestamp").values_list(field, flat=True)
    found: list[str] = []
    name = rows.first()
    while name is not None and len(found) < LABELS:
        found.append(name)
        name = rows.filter(**{f"{field}__gt": name}).first()
    return found
