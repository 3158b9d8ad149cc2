"""How much was counted in a test: other tests count in the same process."""

from typing import Any

import pytest

from statuslog import metrics


class Rise:
    """By how much each metric of this process has risen since this was made."""

    def __init__(self) -> None:
        self._before = self._values()

    def __call__(self, name: str, **labels: str) -> float:
        key = (name, *sorted(labels.items()))
        return self._values().get(key, 0) - self._before.get(key, 0)

    def _values(self) -> dict[tuple[Any, ...], float]:
        families = metrics.REGISTRY.collect()
        return {(s.name, *sorted(s.labels.items())): s.value for family in families for s in family.samples}


@pytest.fixture
def rise() -> Rise:
    return Rise()
