"""One screen about the whole system, or with --json one object; exit code 0: all is right.

    status.py [--json] [--colour] --vstorage PATH [--named PATH] [--changed NAMES --changes TEXT] NAME=URL...

A service without a URL does not run. Only what Python brings along, and what knows the token: it also runs in a
container, where vstorage has another name than on the host (--named). Which settings have changed since the start is
told to it.
"""

import argparse
import http.client
import json
import os
import re
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from statuslog import shown, tokens
from statuslog.env import EnvError
from statuslog.words import counted

TIMEOUT = 5.0
SHOWN = 5  # records
COMPARED = 100  # lines at each end of the stores: what all of them say takes `verify`, and its time
COUNTED = 10_000  # records: up to there storage counts them, beyond it estimates
LINE_BYTES = 256  # more than a line of the services has
LOOKS, PAUSE = 4, 0.3  # the stores are written one after the other: a difference counts when it lasts

WORDS = {
    "storage_unreachable": "storage is down, not ready, or low on disk; records wait in the outbox",
    "clock_ahead": "a record is dated far in the future, as the clock was wrong; ./manage_all.sh clock",
    "outbox_unusable": "the service cannot read or write its outbox; its log says why",
    "vstorage_not_writable": "vstorage is missing, no file, read-only, or its disk is full",
    "vstorage_stale": "vstorage was replaced; restart service1 and service2, then verify --repair",
    "vstorage_locked": "somebody holds the lock on vstorage; lsof names it",
    "vstorage_rewritten": "vstorage is being written anew",
    "vstorage_behind": "vstorage lacks records of the log, which are about to be written",
    "outbox_waiting": "an outbox has records that vstorage lacks",
    "migrations_pending": "the database is older than the code; ./manage_all.sh migrate",
    "database_replaced": "the database's file was removed or replaced; README's Troubleshooting says what to do",
    "database_unreachable": "the database cannot be read",
    "disk_low": "less than MIN_FREE_BYTES of disk is free: nothing more is taken",
}
BROKEN_PIPE = 141  # the exit code that a shell gives to what SIGPIPE has ended
GREEN, YELLOW, RED, FAINT = "32", "33", "31", "2"


class NoAnswer(Exception):
    """The service gave no answer, or a wrong one; the text says what happened."""


def ask(url: str, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    if not url:
        raise NoAnswer("it does not run")
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT)
    try:
        # By the name that each service answers to, whatever DJANGO_ALLOWED_HOSTS is set to.
        connection.request("GET", path, headers={"Host": "127.0.0.1", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError as error:
        raise NoAnswer((error.strerror or str(error)).lower()) from error
    except http.client.HTTPException as error:
        raise NoAnswer("not an HTTP answer") from error
    finally:
        connection.close()


def service(url: str) -> dict[str, Any]:
    """What a service says of itself: its state, why, what it measures, and its outbox if it has one."""
    try:
        said = json.loads(ask(url, "/readyz", tokens.of_the_services())[1])
        reasons = [str(reason) for reason in said["reasons"]]
        outbox = {key: int(count) for key, count in said.get("outbox", {}).items()}
        measured = dict(said.get("measured", {}))
    except NoAnswer as error:
        return {"state": "no answer", "reasons": [str(error)], "outbox": {}, "measured": {}}
    except (ValueError, LookupError, TypeError, AttributeError):
        return {"state": "another program answers there", "reasons": [], "outbox": {}, "measured": {}}
    state = "not ready" if reasons else "ready"
    return {"state": state, "reasons": reasons, "outbox": outbox, "measured": measured}


class Log:
    """What storage has."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._token = tokens.of_the_services()

    def _get(self, path: str) -> str:
        code, answer = ask(self._url, path, self._token)
        if code != 200:
            raise NoAnswer(f"{code}: {answer.decode(errors='replace').strip()[:200]}")
        return answer.decode(errors="replace")

    def lines(self, query: str) -> list[str]:
        return self._get(f"/log?{query}").splitlines()

    def last(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines(f"tail={SHOWN}&format=ndjson")]

    def sizes(self) -> dict[str, int | None]:
        metrics = self._get("/metrics")
        rows = re.findall(r"^statuslog_log_rows (\S+)$", metrics, re.MULTILINE)
        parts = re.findall(r"^statuslog_database_bytes\S* (\S+)$", metrics, re.MULTILINE)
        disk = dict(re.findall(r'^statuslog_disk_(free|total)_bytes{disk="data"} (\S+)$', metrics, re.MULTILINE))
        return {
            "records_about": int(sum(map(float, rows))),
            "database_bytes": int(sum(map(float, parts))),
            # Of the disk that storage's data is on; null if the file system does not count its blocks.
            "disk_free_bytes": int(float(disk["free"])) if "free" in disk else None,
            "disk_total_bytes": int(float(disk["total"])) if "total" in disk else None,
        }


def lines_of(path: Path, *, at_end: bool, count: int) -> list[str]:
    """So many of the file's lines, at the most: it is not read as a whole."""
    length = count * LINE_BYTES
    with path.open("rb") as file:
        begin = max(0, file.seek(0, 2) - length) if at_end else 0
        file.seek(begin)
        text = file.read(length)
    lines = text.decode(errors="replace").splitlines()
    if not at_end:
        return lines[:count]
    return lines[1 if begin else 0 :][-count:]


def compare(log: Log, path: Path) -> tuple[str, str]:
    """equal, differs or unknown, and what that is about. The first and the last lines are looked at, no others."""
    looked_at = f"first and last {COMPARED} lines compared"
    before: list[str] = []
    for look in range(LOOKS):
        if look:
            time.sleep(PAUSE)
        begin, end = log.lines(f"limit={COMPARED}"), log.lines(f"tail={COMPARED}")
        file_begin = lines_of(path, at_end=False, count=COMPARED)
        file_end = lines_of(path, at_end=True, count=10 * COMPARED)  # it may have grown in between
        shorter = min(len(begin), len(file_begin))
        if begin[:shorter] == file_begin[:shorter]:
            if end == file_end[-COMPARED:]:
                return "equal", looked_at
            # Both grow: what the log had is in the file, with newer lines behind it.
            if look and end != before and any(end == file_end[i : i + len(end)] for i in range(len(file_end))):
                return "equal", looked_at
            before = end
    return "differs", "./manage_all.sh verify shows where"


def look(vstorage: Path, named: str, addresses: dict[str, str], changed: list[str]) -> dict[str, Any]:
    """Everything that is shown, as --json prints it."""
    with ThreadPoolExecutor() as pool:  # one that hangs does not make the others wait
        services = dict(zip(addresses, pool.map(service, addresses.values()), strict=True))
    found: dict[str, Any] = {"ok": False, "services": services, "log": None, "vstorage": {"path": named, "bytes": None}}
    waiting = sum(one["outbox"].get("waiting", 0) for one in services.values())
    refused = sum(one["outbox"].get("refused", 0) for one in services.values())
    state, why, last = "unknown", "", []
    try:
        found["vstorage"]["bytes"] = vstorage.stat().st_size
        if services["storage"]["state"] == "no answer":  # to ask once more is to wait once more
            raise NoAnswer(services["storage"]["reasons"][0])
        log = Log(addresses["storage"])
        last = log.last()
        found["log"] = log.sizes()
        state, why = compare(log, vstorage)
        if waiting and state == "differs":
            state, why = "unknown", "records wait in an outbox"
    except NoAnswer as error:
        why = f"storage does not show its log: {error}"
    except OSError as error:
        why = f"vstorage cannot be read: {error.strerror}"
    found["stores"] = {"state": state, "why": why}
    found["last"] = last
    found["settings"] = {"changed": changed}
    ready = all(one["state"] == "ready" for one in services.values())
    found["ok"] = state == "equal" and not refused and not changed and ready
    return found


def show(found: dict[str, Any], changes: str, *, colour: bool) -> None:
    def painted(text: str, code: str) -> str:
        return f"\033[{code}m{text}\033[0m" if colour else text

    for name, one in found["services"].items():
        code = {"ready": GREEN, "not ready": YELLOW}.get(one["state"], RED)
        print(f"{name:<10}{painted(one['state'], code)}")
        for reason in one["reasons"]:
            print(f"{'':<10}  {reason}: {WORDS[reason]}" if reason in WORDS else f"{'':<10}  {reason}")
    print()
    for name, one in found["services"].items():
        if one["outbox"]:
            counts = [f"{count:,} {what}" for what, count in one["outbox"].items() if count]
            print(f"{'outbox':<10}{name}: {painted(', '.join(counts), YELLOW) if counts else 'empty'}")
    for measured in [one["measured"] for one in found["services"].values() if one["measured"]][:1]:
        free, total, up = (measured.get(key) for key in ("disk_free_bytes", "disk_total_bytes", "host_uptime_seconds"))
        disk = f"{size(free)} of {size(total)} disk free" if total else "free disk unknown"
        print(f"{'host':<10}up {lasting(up)}, {disk}")
    log, vstorage, stores = found["log"], found["vstorage"], found["stores"]
    if log:
        about = "about " if log["records_about"] > COUNTED else ""
        free, total = (size(log[f"disk_{what}_bytes"]) for what in ("free", "total"))
        print(f"{'log':<10}{about}{counted(log['records_about'])}, its database {size(log['database_bytes'])}")
        print(f"{'':<10}{free} of {total} free on the disk that it is on")
    print(f"{'vstorage':<10}{size(vstorage['bytes'])}, {vstorage['path']}")
    code = {"equal": GREEN, "differs": RED}.get(stores["state"], YELLOW)
    print(f"{'stores':<10}{painted(stores['state'], code)} ({stores['why']})")
    if changes:
        print(f"{'settings':<10}{painted(changes, RED)}")
    if found["last"]:
        print("\nlast records")
    for record in found["last"]:
        when = painted(f"{ago(record['timestamp']):<15}", FAINT)
        print(f"  {shown.service(record['service']):<12}{when}{record['line']}")


def size(count: int | None) -> str:
    if count is None:
        return "unknown"
    if count < 1024:
        return f"{count} bytes"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        value /= 1024
        if value < 1024 or unit == "TiB":
            break
    return f"{value:,.1f} {unit}"


def ago(timestamp: str) -> str:
    seconds = (datetime.now(UTC) - datetime.fromisoformat(timestamp)).total_seconds()
    return "in the future" if seconds < -1 else f"{lasting(max(0.0, seconds))} ago"


def lasting(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(prog="status.py")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--colour", action="store_true")
    parser.add_argument("--vstorage", type=Path, required=True)
    parser.add_argument("--named")
    parser.add_argument("--changed", type=str.split, default=[])
    parser.add_argument("--changes", default="")
    parser.add_argument("addresses", nargs="+")
    given = parser.parse_args()
    addresses = {name: url for name, _, url in (one.partition("=") for one in given.addresses)}
    try:
        found = look(given.vstorage, given.named or str(given.vstorage), addresses, given.changed)
    except EnvError as error:
        sys.exit(f"status: {error}")
    if given.json:
        print(json.dumps(found, indent=2))
    else:
        show(found, given.changes, colour=given.colour)
    sys.stdout.flush()
    sys.exit(not found["ok"])


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:  # who read the output has ended, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(BROKEN_PIPE)
