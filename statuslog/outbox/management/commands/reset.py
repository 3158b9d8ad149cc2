"""`manage.py reset`: empty the outbox. `manage_all.sh reset` empties it together with the stores."""

from statuslog.outbox.models import OutboxRecord
from statuslog.sqlite.commands import ResetCommand


class Command(ResetCommand):
    help = "Delete all records of the outbox, also those that storage never got."
    model = OutboxRecord
    place = "the outbox"
