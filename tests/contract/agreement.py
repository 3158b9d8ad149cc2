"""Whether the two stores agree, and waiting for it."""

import time
from collections.abc import Callable

from tests.contract.client import get
from tests.processes import Services


def until(condition: Callable[[], object], seconds: float = 15) -> None:
    """Return when it is so; fail when it is not within that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def stores_agree(services: Services) -> bool:
    """The log and vstorage are byte for byte the same, and nothing waits to be brought to either."""
    answers = [get(f"{address}/readyz") for address in (services.service1, services.service2)]
    if any(answer.status_code != 200 or answer.json()["outbox"]["waiting"] for answer in answers):
        return False
    return get(f"{services.storage}/log").content == services.vstorage.read_bytes()
