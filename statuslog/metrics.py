"""What a service counts, whichever of its worker processes is asked for it: `GET /metrics` (exposition.py) shows it.

A metric is declared where it is counted, in REGISTRY. Each worker process counts in files of its own, in memory, and
who is asked adds them up. They bear the worker's number and not its process id: the next worker of that number goes
on where a dead one ended, so no counter goes back, and there are never more files than workers.
"""

import shutil
from collections.abc import Collection

from prometheus_client import CollectorRegistry, disable_created_metrics, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from statuslog import env

# Made by serve.sh for one start of the service; without it (a command, a test, Django's own server) there is one
# process, which counts for itself. The library reads the same variable.
FOLDER = env.text("PROMETHEUS_MULTIPROC_DIR")
REGISTRY = CollectorRegistry()

# Of this worker; gunicorn's master, which counts nothing, has 0.
number = 0

# When a counter was made, which the files of several processes cannot tell.
disable_created_metrics()
if FOLDER:
    values.ValueClass = values.MultiProcessValue(lambda: number)


def counted() -> Collector:
    """What was counted, by all worker processes together."""
    return MultiProcessCollector(None, FOLDER) if FOLDER else REGISTRY


def take_number(taken: Collection[int]) -> int:
    """Before a worker is forked: its number, the lowest that no other has."""
    global number
    number = next(free for free in range(1, len(taken) + 2) if free not in taken)
    return number


def has_ended(worker: int) -> None:
    """What the worker of that number was in the middle of is over; what it has counted stays."""
    if FOLDER:
        mark_process_dead(worker, FOLDER)


def remove() -> None:
    """The service has ended."""
    if FOLDER:
        shutil.rmtree(FOLDER, ignore_errors=True)
