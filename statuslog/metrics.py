"""What a service counts, whichever of its worker processes is asked for it: `GET /metrics` (exposition.py) shows it.

A metric is declared where it is counted, in REGISTRY. Each worker process counts in files of its own, in memory, and
who is asked adds them up. They bear the worker's number and not its process id: the next worker of that number goes
on where a dead one ended, so no counter goes back, and there are never more files than workers.
"""

import json
import shutil
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest, values
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import mark_process_dead
from prometheus_client.registry import Collector

from statuslog import env
from statuslog.counts import Allocated

# Made by counters.py for one start of the service; without it (a command, a test, Django's own server) there is one
# process, which counts for itself. The library reads the same variable.
FOLDER = env.text("PROMETHEUS_MULTIPROC_DIR")
REGISTRY = CollectorRegistry()

# Of this worker; gunicorn's master, which counts nothing, has 0.
number = 0

# When a counter was made, which the files of several processes cannot tell.
disable_created_metrics()
if FOLDER:
    values.MmapedDict = Allocated  # type: ignore[attr-defined] # there is no other way to tell it
    values.ValueClass = values.MultiProcessValue(lambda: number)


def text() -> str:
    """What was counted, by all worker processes together, in Prometheus' text format.

    The library's MultiProcessCollector says the same. It takes every key apart and puts every line together anew
    at each scrape: 10 ms of CPU where this takes 2.
    """
    if not FOLDER:
        return generate_latest(REGISTRY).decode()
    sums: dict[tuple[str, str], float] = {}
    for kind, key, value in _values():
        sums[kind, key] = sums.get((kind, key), 0.0) + value
    families: dict[str, list[str]] = {}
    counts: dict[str, float] = {}
    for (kind, key), value in sums.items():
        head, line, count_line, is_last = _form(kind, key)
        lines = families.setdefault(head, [head])
        if count_line:  # the files hold what fell into each bucket; Prometheus wants it with all lower ones
            value = counts[count_line] = counts.get(count_line, 0.0) + value
        lines.append(f"{line} {value}\n")
        if is_last:
            lines.append(f"{count_line} {value}\n")
    return "".join(line for lines in families.values() for line in lines)


def _values() -> Iterator[tuple[str, str, float]]:
    """Kind of metric, the library's key and value of all that is in the workers' files; buckets from the lowest on."""
    for name, found in Allocated.settle():
        yield from ((name.partition("_")[0], key, value) for key, value, _, _ in found)
    for file in sorted(Path(FOLDER).glob("*.db")):
        try:
            found = MmapedDict.read_all_values_from_file(file)
        except FileNotFoundError:  # its worker has just ended
            continue
        kind = file.name.partition("_")[0]
        yield from ((kind, key, value) for key, value, _, _ in found)


@cache
def _form(kind: str, key: str) -> tuple[str, str, str, bool]:
    """How the library writes it: the head of its metric and its line without the value; of a bucket also the line of
    the histogram's count, and whether it is the last."""
    name, sample, labels, help_text = json.loads(key)
    metric = Metric(name, help_text, kind)
    metric.add_sample(sample, labels, 0.0)
    without = {label: value for label, value in labels.items() if label != "le"}
    metric.add_sample(f"{name}_count", without, 0.0)
    *head, line, count_line = generate_latest(_Only(metric)).decode().splitlines()
    is_bucket = kind == "histogram" and "le" in labels
    return (
        "".join(f"{part}\n" for part in head),
        line.rpartition(" ")[0],
        count_line.rpartition(" ")[0] if is_bucket else "",
        is_bucket and labels["le"] == "+Inf",
    )


class _Only(Collector):
    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


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
