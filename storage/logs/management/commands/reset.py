"""`manage.py reset`: empty the log. vstorage is not storage's: `manage_all.sh reset` empties both at once."""

from logs.models import LogRecord
from statuslog.sqlite.commands import ResetCommand


class Command(ResetCommand):
    help = "Delete all records of the log; admin users stay."
    model = LogRecord
    place = "the log"
