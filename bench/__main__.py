"""`./manage_all.sh bench`: three systems under the same load, side by side. What they are: bench/README.md."""

import argparse
import json
import os
import platform
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import records, table
from bench.measure import REQUESTS, RESULTS, measure, memory, started
from bench.systems import SYSTEMS


def main() -> None:
    options = arguments()
    if options.memory:
        with started("ours") as ours:
            memory(ours, options.memory)
        return
    machine = {"python": platform.python_version(), "kernel": platform.platform(), "cpus": os.cpu_count()}
    if options.records:
        sizes = []
        with started("ours") as ours, tempfile.TemporaryDirectory(dir=RESULTS) as folder:
            for size in records.measure(ours, options.records, options.times, Path(folder), others=options.others):
                sizes.append(size)
                print(records.table(size), flush=True)
        save(options.json, {"machine": machine, "records": sizes})
        return
    points = []
    print(table.HEAD, flush=True)
    with ExitStack() as stack:
        running = {name: stack.enter_context(started(name)) for name in options.systems}
        for request in REQUESTS:
            for clients in options.clients:
                for name, system in running.items():  # in turn, so that what disturbs the machine disturbs all
                    points.append(measure(system, name, request, clients, options.seconds))
                    print(table.line(points[-1]), flush=True)
    compared = table.ratios(points)
    if compared:
        print("", table.COMPARED, *map(table.ratio_line, compared), sep="\n")
    save(options.json, {"machine": machine, "points": points, "ratios": compared})


def save(file: Path, result: dict[str, Any]) -> None:
    file.write_text(json.dumps({"at": f"{datetime.now(UTC):%FT%TZ}"} | result, indent=1) + "\n")
    print(f"\nsaved in {file}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("./manage_all.sh bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="of load at each point (5)")
    parser.add_argument("--clients", type=whole_numbers, default=[1, 8, 32], help="at once (1,8,32)")
    parser.add_argument("--systems", type=lambda text: text.split(","), default=list(SYSTEMS), help="ours,plain,floor")
    parser.add_argument("--json", type=Path, default=RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json")
    parser.add_argument("--memory", type=int, metavar="N", help="show the memory before and after N /status of ours")
    parser.add_argument("--records", type=whole_numbers, metavar="N,N...", help="measure ours with logs of such sizes")
    parser.add_argument("--others", action="store_true", help="with --records: lines as other programs write them")
    parser.add_argument("--times", type=int, default=60, metavar="N", help="with --records: of each request (60)")
    options = parser.parse_args()
    if unknown := set(options.systems) - set(SYSTEMS):
        parser.error(f"--systems: {', '.join(unknown)} is none of {', '.join(SYSTEMS)}")
    if options.times < 1:
        parser.error(f"--times: must be 1 or more, not {options.times}")
    if not options.json.absolute().parent.is_dir() and options.json.parent != RESULTS:
        parser.error(f"--json: there is no folder {options.json.absolute().parent}")
    return options


def whole_numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
