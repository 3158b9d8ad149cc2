"""`manage.py outbox`: look at what this service could not bring to storage, export it, send it again, or give it up."""

import json
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management import CommandParser, call_command
from django.db.models import F, Q

from statuslog import command
from statuslog.command import need_yes
from statuslog.outbox.models import OutboxRecord
from statuslog.record import EPOCH, show_timestamp
from statuslog.words import counted

SHOWN = 20


class Command(command.Command):
    help = "Show what waits in the outbox, and what storage has refused."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--export", action="store_true", help="print all of its records, as lines that import takes")
        what.add_argument("--send", action="store_true", help="send again now what was refused or put off")
        what.add_argument("--remove", action="store_true", help="remove the refused records")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0, interactive=False)  # before the first start there is nothing
        rows, refused = OutboxRecord.objects.order_by("row"), OutboxRecord.objects.exclude(refused="")
        if options["export"]:
            for row in rows.iterator():
                self.stdout.write(json.dumps(row.record, ensure_ascii=False))
        elif options["send"]:
            again = OutboxRecord.objects.filter(Q(due__gt=EPOCH) | ~Q(refused=""))
            sent = again.update(refused="", due=datetime.now(UTC))
            self.stdout.write(f"{settings.SERVICE}: {counted(sent)} to be sent again, within seconds")
        elif options["remove"]:
            count = refused.count()
            if count and not options["yes"]:
                question = f"{settings.SERVICE}: remove {counted(count)} that storage refused, for good?"
                need_yes(question, "nothing was removed")
            refused.delete()
            self.stdout.write(f"{settings.SERVICE}: removed {counted(count)}")
        else:
            self._show()

    def _show(self) -> None:
        waiting = OutboxRecord.objects.filter(refused="").count()
        refused = OutboxRecord.objects.count() - waiting
        self.stdout.write(f"{settings.SERVICE}: {counted(waiting)} waiting, {refused:,} refused")
        special = OutboxRecord.objects.filter(Q(due__gt=EPOCH) | ~Q(refused="")).order_by(F("row"))
        for row in special[:SHOWN]:
            why = f"refused: {row.refused}" if row.refused else f"waits until {show_timestamp(row.due)}"
            self.stdout.write(f"  {row.record.get('line')}\n    {row.record.get('id')}, {why}")
        if (more := special.count() - SHOWN) > 0:
            self.stdout.write(f"  and {more:,} more; --export prints all")
