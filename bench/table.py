"""What is printed: a line for each point, then how *ours* compares with the others."""

from collections.abc import Sequence
from typing import Any

HEAD = (
    "request      clients system     per s   p50 ms   p99 ms |  CPU ms a request: service1 service2  storage | load\n"
    "-------------------------------------------------------|------------------------------------------------|-----"
)
COMPARED = "request      clients ours/…  per s      p50"


def line(point: dict[str, Any]) -> str:
    cpu = "".join(f"{_ms(seconds)}" for seconds in point["cpu"].values())
    bad = f"  NOT 200: {point['bad']}" if point["bad"] else ""
    return (
        f"{point['request']:12} {point['clients']:7} {point['system']:6}{point['per_second']:10.0f}"
        f"{_ms(point['p50'])}{_ms(point['p99'])} |{'':18}{cpu}{'':2}| {point['load_cpu']:4.0%}{bad}"
    )


def ratios(points: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """*ours* divided by each other system, at each point that both have an answer for."""
    by_key = {(point["request"], point["clients"], point["system"]): point for point in points if point["ok"]}
    found = []
    for (request, clients, system), other in by_key.items():
        ours = by_key.get((request, clients, "ours"))
        if ours and system != "ours":
            ratio = {name: ours[name] / other[name] for name in ("per_second", "p50", "p99")}
            found.append({"request": request, "clients": clients, "to": system, **ratio})
    return found


def ratio_line(ratio: dict[str, Any]) -> str:
    return f"{ratio['request']:12} {ratio['clients']:7} {ratio['to']:6}{ratio['per_second']:7.2f}{ratio['p50']:9.2f}"


def _ms(seconds: float | None) -> str:
    return f"{'-':>9}" if seconds is None else f"{seconds * 1000:9.2f}"
