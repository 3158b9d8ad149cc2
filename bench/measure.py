"""One point of the comparison: so many clients, one kind of request, one system."""

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.floor import LINE
from bench.systems import SYSTEMS, System
from tests.processes import NAMES, ROOT

RESULTS = ROOT / "bench" / "results"
# By the name in the table: the service that is asked, and how.
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "GET /status": ("service1", {"method": "GET", "path": "/status", "body": ""}),
    "POST /log": ("storage", {"method": "POST", "path": "/log", "body": LINE}),
}
MEMORY_CLIENTS = 8
MEMORY_WARM_UP = 2000


@contextmanager
def started(name: str) -> Iterator[System]:
    """The system, ready; its stores are on the disk that this repository is on, not in a /tmp in memory."""
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RESULTS, prefix=f"{name}-") as folder:
        system = SYSTEMS[name](Path(folder), LOG_LEVEL="warning")
        try:
            system.start()
            yield system
        finally:
            system.stop()


def measure(system: System, name: str, request: str, clients: int, seconds: float) -> dict[str, Any]:
    _load(system, request, clients, seconds=max(seconds / 3, 0.2))  # connections, threads, caches
    before = {service: system.cpu(service) for service in NAMES}
    found = _load(system, request, clients, seconds=seconds)
    answers = found["ok"] + sum(found["bad"].values())
    cpu = {service: (system.cpu(service) - before[service]) / answers for service in reversed(NAMES)}
    per_second = found["ok"] / found["seconds"]
    return {"request": request, "clients": clients, "system": name, "per_second": per_second, **found, "cpu": cpu}


def memory(system: System, requests: int) -> None:
    """Print what each worker's memory is before and after so many `/status`."""
    _load(system, "GET /status", MEMORY_CLIENTS, count=min(MEMORY_WARM_UP, requests))
    before = {service: system.rss(service) for service in NAMES}
    found = _load(system, "GET /status", MEMORY_CLIENTS, count=requests)
    print(f"{found['ok']:,} answers, others: {found['bad'] or 'none'}; MiB of memory before and after")
    for service in reversed(NAMES):
        for pid, after in system.rss(service).items():
            was = before[service].get(pid, math.nan)
            print(f"{service:10}{was:8.1f}{after:8.1f}{after - was:+8.1f}")


def _load(
    system: System, request: str, clients: int, *, seconds: float = math.inf, count: float = math.inf
) -> dict[str, Any]:
    """What bench/load.py has found, as a process of its own."""
    service, what = REQUESTS[request]
    how = json.dumps({"port": system.ports[service], "clients": clients, "seconds": seconds, "count": count} | what)
    load = subprocess.run([sys.executable, str(ROOT / "bench" / "load.py"), how], check=True, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(load.stdout)
    return found
