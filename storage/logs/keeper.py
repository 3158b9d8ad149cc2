"""Storage's daily work: the log is pruned as the settings PRUNE_… say, and what was broken off is ended, a prune or
an import.

One background thread in each process of storage; of several on the same data one does the work.
"""

import logging
import threading
import time

from django.conf import settings
from django.db import DatabaseError, connection

from logs import import_mark, pruning
from statuslog import tracing

log = logging.getLogger(__name__)

A_DAY = 24 * 60 * 60.0
LOOK_AROUND = 60.0  # seconds between two looks for what was broken off


def start() -> None:
    """Begin the background work; it ends with the process."""
    threading.Thread(target=_run, name="keeper", daemon=True).start()


def _run() -> None:
    due = time.monotonic()  # at the start, and then once a day
    while True:
        daily = time.monotonic() >= due
        if daily:
            due += A_DAY
        with tracing.background():
            work(daily=daily)
        connection.close()
        time.sleep(LOOK_AROUND)


def work(*, daily: bool) -> None:
    """Prune if it is due, and delete what is out of the log; let vstorage follow an import that was killed."""
    try:
        if import_mark.settle(settings.DATA_DIR):
            log.info("an import was broken off; vstorage follows what it has stored")
        with pruning.alone() as alone:
            if not alone:
                return
            if daily and (found := pruning.plan(settings.PRUNE)):
                pruning.begin(found)
                log.info("pruning %s of %s records, all before %s", found.count, found.total, found.before)
            if deleted := pruning.finish():
                log.info("%s pruned records were deleted", deleted)
    except (DatabaseError, OSError):
        log.exception("the log could not be pruned; it will be tried again")
