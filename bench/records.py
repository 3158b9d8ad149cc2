"""The log at different sizes: bringing it in, reading all or a page of it, the admin, adding to it and following it.

The log of one running system grows from size to size through the real import. What the bulk figures are beside is
the least that such a work can cost on this machine: Python's own `executemany`, and SQLite's own shell.
"""

import http.client
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from bench.floor import LINE
from bench.systems import System
from tests.processes import ROOT

PART = 50_000  # rows that are made, and not measured, before each part of the bare insert
A_SECOND = 3  # lines
READINGS = 3  # of all
SIGN_IN = """
from django.contrib.auth import get_user_model
from django.test import Client
client = Client()
user, _ = get_user_model().objects.get_or_create(username="bench", is_staff=True, is_superuser=True)
client.force_login(user, "django.contrib.auth.backends.ModelBackend")
print(client.cookies.output(header="", attrs=[], sep=";"))
"""


# Lines as other programs write them, of a time and a number.
OTHERS: tuple[Callable[[datetime, int], str], ...] = (
    lambda time, n: f"{time:%FT%T}Z: uptime {n / 10000:.2f} hours, free disk in root: {432951 - n % 100} MBytes",
    lambda time, n: f"{time:%FT%T}.{n:09}Z: uptime {n / 10000:.2f} hours, free disk in root: {432951 - n % 100} MBytes",
    lambda time, n: (
        f"Timestamp1: {time:%FT%T}Z: uptime {n / 10000:.2f} hours, free disk in root: {9653 - n % 9} MBytes"
    ),
    lambda time, n: f"Timestamp2 {time:%FT%T}.002Z: uptime: {n / 9e5:.2f} hours, free disk in root: {n % 9}.28 MBytes",
    lambda time, n: f"{time:%FT%T}Z: uptime {n / 9e5:.9f}s hours, free disk in root: {470003 - n % 100} MBytes",
    lambda time, n: f"Service1 {time:%FT%T}.592Z: uptime {n / 1000:.2f}h, free mem {6053.32 - n % 9:.2f} MB",
    lambda time, n: f"{time:%FT%T}+00:00: uptime {n / 10000:.2f} hours, free disk in root: {432951 - n % 100} MBytes",
    lambda time, n: f"{time:%F %T} UTC: uptime {n / 10000:.2f} hours, free disk in root: {432951 - n % 100} MBytes",
)


def measure(
    system: System, sizes: Iterable[int], times: int, folder: Path, *, others: bool = False
) -> Iterator[dict[str, Any]]:
    """What is found at each size, the smallest first. `times`: of each kind of request, a third of them to warm up.

    With `others` the log is one of other programs, in several forms.
    """
    sizes = sorted(sizes)
    start = datetime.now(UTC) - timedelta(days=1, seconds=sizes[-1] // A_SECOND)
    has = 0
    first: dict[str, float] = {}
    for size in sizes:
        lines = folder / "lines"
        with lines.open("w") as file:
            file.writelines(f"{line}\n" for line in (other_lines if others else old_lines)(start, has, size))
        found: dict[str, Any] = {"records": size, **_write(system, lines, size - has)}
        lines.unlink()
        found["bare_rows_per_second"] = _bare_insert(system, folder, old_lines(start, 0, size), size)
        found |= _read(system, size)
        middle = start + timedelta(seconds=size // A_SECOND // 2)
        pages = _pages(system, f"/log?since={middle:%FT%TZ}&limit=100", times)
        first = first or pages
        found["p50"] = pages
        found["times_the_first"] = {name: seconds / first[name] for name, seconds in pages.items()}
        has = size
        yield found


def old_lines(start: datetime, first: int, last: int) -> Iterator[str]:
    for number in range(first, last):
        moment = start + timedelta(seconds=number // A_SECOND)
        yield (
            f"{moment:%FT%T}Z: uptime {number / 10000:.3f} hours, "
            f"free disk in root: {36207.74 - number % 100:.2f} MBytes"
        )


def other_lines(start: datetime, first: int, last: int) -> Iterator[str]:
    for number in range(first, last):
        yield OTHERS[number % len(OTHERS)](start + timedelta(seconds=number // A_SECOND), number)


def table(found: dict[str, Any]) -> str:
    """The lines that are printed for one size."""
    insert, shell = found["bare_rows_per_second"], found["shell_lines_per_second"]
    text = [
        f"{found['records']:,} records",
        f"  import          {_rate(found['import_lines_per_second'])} lines/s"
        f"  {found['import_lines_per_second'] / insert:5.2f} of executemany ({_rate(insert).strip()})",
        f"  with vstorage   {_rate(found['both_lines_per_second'])} lines/s"
        f"  {found['both_lines_per_second'] / insert:5.2f}; {found['import_mib']:.0f} MiB of memory at most",
        f"  read all        {_rate(found['read_lines_per_second'])} lines/s"
        f"  {found['read_lines_per_second'] / shell:5.2f} of sqlite3's SELECT ({_rate(shell).strip()})",
        f"    first byte    {found['first_byte'] * 1000:10.1f} ms   "
        + ", ".join(f"{name} {mib:+.1f} MiB" for name, mib in found["read_mib"].items()),
    ]
    for name, seconds in found["p50"].items():
        text.append(f"  {name:16}{seconds * 1000:10.2f} ms p50  {found['times_the_first'][name]:5.2f} times the first")
    return "\n".join(text)


def _rate(per_second: float) -> str:
    return f"{per_second:10,.0f}"


def _write(system: System, lines: Path, count: int) -> dict[str, Any]:
    """The two steps of `manage_all.sh import`."""
    started = time.perf_counter()
    with lines.open("rb") as source:
        largest = _run(system, "storage", ["import_log"], source)
    stored = time.perf_counter() - started
    _run(system, "service1", ["verify", "--repair"], None)
    return {
        "import_lines_per_second": count / stored,
        "both_lines_per_second": count / (time.perf_counter() - started),
        "import_mib": largest,
    }


def _run(system: System, service: str, arguments: list[str], source: Any) -> float:
    """Run the service's manage.py; returns the most MiB of memory that it had."""
    command = [sys.executable, str(ROOT / service / "manage.py"), *arguments]
    watched = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=sys.stderr);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", watched, *command],
        env=system.environment(service),
        stdin=source or subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return int(done.stdout) / 1024


def _bare_insert(system: System, folder: Path, lines: Iterable[str], size: int) -> float:
    """Rows a second of `executemany` in one transaction, into an empty table of the log's form."""
    columns = "record_id, service, instance, timestamp, host_uptime_seconds, disk_free_bytes, line, received_at"
    with closing(sqlite3.connect(_database(system))) as log:
        made = [
            sql
            for (sql,) in log.execute(
                "SELECT sql FROM sqlite_master WHERE tbl_name = 'logs_logrecord' AND sql IS NOT NULL"
            )
        ]
    file = folder / "bare.sqlite3"
    taken, number, lines = 0.0, 0, iter(lines)
    with closing(sqlite3.connect(file, isolation_level=None)) as bare:
        bare.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + ";".join(made))
        bare.execute("BEGIN")
        while number < size:
            rows = [
                # Ids that grow, as those of the services and of the import do.
                (f"{number + i:032x}", "", "", f"{line[:10]} {line[11:19]}", 1.5, 2**35, line, "2025-09-26 16:45:06")
                for i, line in enumerate(islice(lines, PART))
            ]
            number += len(rows)
            began = time.perf_counter()
            bare.executemany(f"INSERT INTO logs_logrecord ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            taken += time.perf_counter() - began
        began = time.perf_counter()
        bare.execute("COMMIT")
        taken += time.perf_counter() - began
    for name in folder.glob("bare.sqlite3*"):
        name.unlink()
    return size / taken


def _read(system: System, size: int) -> dict[str, Any]:
    """All of the log as text: through storage and through service1, and by SQLite's shell."""
    before = {name: max(system.rss(name).values()) for name in ("storage", "service1")}
    # In turn, as each speed alone says little on a machine that does other things, too.
    read, shell = zip(*((_get_all(system.ports["storage"]), _shell(system)) for _ in range(READINGS)), strict=True)
    seconds, first_bytes, (lines, *_) = zip(*read, strict=True)
    _get_all(system.ports["service1"])
    if lines < size:
        raise RuntimeError(f"{lines:,} lines were read, not {size:,}")
    after = {name: max(system.rss(name).values()) for name in before}
    return {
        "read_lines_per_second": lines / median(seconds),
        "first_byte": median(first_bytes),
        "read_mib": {name: after[name] - before[name] for name in before},
        "shell_lines_per_second": lines / median(shell),
    }


def _get_all(port: int) -> tuple[float, float, int]:
    """The seconds until the end and until the first byte, and the number of lines."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        started = time.perf_counter()
        connection.request("GET", "/log")
        answer = connection.getresponse()
        lines = answer.read(1).count(b"\n")
        first_byte = time.perf_counter() - started
        while chunk := answer.read(2**18):
            lines += chunk.count(b"\n")
        return time.perf_counter() - started, first_byte, lines


def _shell(system: System) -> float:
    """The seconds that SQLite's shell takes, or where there is none Python's SQLite."""
    query = "SELECT line FROM logs_logrecord ORDER BY timestamp, row"
    started = time.perf_counter()
    if shell := shutil.which("sqlite3"):
        subprocess.run([shell, "-readonly", _database(system), query], check=True, stdout=subprocess.DEVNULL)
    else:
        with closing(sqlite3.connect(_database(system))) as log:
            for _ in log.execute(query):
                pass
    return time.perf_counter() - started


def _database(system: System) -> str:
    return str(system.data_dir / "storage" / "db.sqlite3")


def _pages(system: System, middle: str, times: int) -> dict[str, float]:
    """Half of the requests of each kind took no longer than so many seconds."""
    signed_in = {"Cookie": _signed_in(system)}
    with (
        closing(http.client.HTTPConnection("127.0.0.1", system.ports["storage"], timeout=60)) as connection,
        closing(http.client.HTTPConnection("127.0.0.1", system.ports["admin"], timeout=60)) as admin,
        closing(http.client.HTTPConnection("127.0.0.1", system.ports["service1"], timeout=60)) as door,
        closing(http.client.HTTPConnection("127.0.0.1", system.ports["storage"], timeout=60)) as follower,
    ):
        follower.request("GET", "/log?follow=1")
        following = follower.getresponse()

        def get(path: str) -> Callable[[], None]:
            return lambda: _ask(connection, "GET", path)

        def look(page: str) -> Callable[[], None]:
            return lambda: _ask(admin, "GET", f"/admin/logs/logrecord/?p={page}", headers=signed_in)

        def status_page() -> None:
            _ask(door, "GET", "/?span=month")

        def post() -> None:
            _ask(connection, "POST", "/log", LINE.encode(), {"Content-Type": "text/plain"})

        def post_and_see() -> None:
            line = f"followed at {time.perf_counter()}"
            _ask(connection, "POST", "/log", line.encode(), {"Content-Type": "text/plain"})
            while following.readline().decode().rstrip() != line:
                pass

        kinds: dict[str, Callable[[], None]] = {
            "limit=100": get("/log?limit=100"),
            "tail=100": get("/log?tail=100"),
            "in the middle": get(middle),
            "JSON page": get(f"{middle}&format=json"),
            "admin, first": look("first"),
            "admin, last": look("last"),
            "status page": status_page,
            "POST": post,
            "POST, followed": post_and_see,
        }
        taken: dict[str, list[float]] = {name: [] for name in kinds}
        for _ in range(times):  # in turn, so that what disturbs the machine disturbs all
            for name, ask in kinds.items():
                began = time.perf_counter()
                ask()
                taken[name].append(time.perf_counter() - began)
    return {name: median(seconds[times // 3 :]) for name, seconds in taken.items()}


def _signed_in(system: System) -> str:
    """The cookie of somebody who may see the admin."""
    command = [sys.executable, str(ROOT / "storage" / "manage.py"), "shell", "--no-imports", "--command", SIGN_IN]
    done = subprocess.run(command, env=system.environment("storage"), check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def _ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> None:
    connection.request(method, path, body, dict(headers or {}))
    answer = connection.getresponse()
    text = answer.read()
    if answer.status not in (200, 201):
        raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]!r}")
