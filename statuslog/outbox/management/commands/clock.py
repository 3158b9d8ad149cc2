"""`manage.py clock` of a service: vstorage's newest time, and the records of its outbox whose time has not come yet."""

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management import CommandError, CommandParser, call_command

from statuslog import command
from statuslog.outbox.models import OutboxRecord
from statuslog.outbox.recording import recorder_from_environment
from statuslog.record import AHEAD, show_timestamp
from statuslog.vstorage import VstorageError
from statuslog.words import counted

LOCK_TIMEOUT = 5.0
REASON = "its time had not come when `clock --repair` was run"


class Command(command.Command):
    help = "Show what a clock that was ahead has left; --repair: from now on all times are true."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--repair", action="store_true", help="bring the newest time back to now")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0, interactive=False)
        now, name = datetime.now(UTC), settings.SERVICE
        times = {row.pk: _time(row) for row in OutboxRecord.objects.filter(refused="").iterator()}
        early = [pk for pk, time in times.items() if time > now + AHEAD]
        if not options["repair"]:
            self.stdout.write(f"{name}: {counted(len(early))} in the outbox from after now")
            return
        try:
            recorder, _ = recorder_from_environment(name)
            with recorder.vstorage.locked(LOCK_TIMEOUT) as file:
                was = file.newest
                file.forget_newest(now)
            if early:  # the file may have their lines, which the log will not have
                recorder.missed.note(min(times[pk] for pk in early))
        except VstorageError as error:
            raise CommandError(str(error)) from error
        for start in range(0, len(early), 500):
            OutboxRecord.objects.filter(pk__in=early[start : start + 500]).update(refused=REASON)
        if was > now:
            self.stdout.write(f"{name}: vstorage's newest time was {show_timestamp(was)}, and is now again")
        if early:
            what = counted(len(early))
            self.stdout.write(f"{name}: set {what} of the outbox aside; ./manage_all.sh outbox shows them")


def _time(row: OutboxRecord) -> datetime:
    return datetime.fromisoformat(row.record["timestamp"])
