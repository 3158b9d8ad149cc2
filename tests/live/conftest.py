"""What the tests of the running system share."""

from collections.abc import Iterator

import pytest

from tests.manage_all import LocalSystem


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    """A system that `run --detach` has started. A test leaves it running."""
    system = LocalSystem(tmp_path_factory.mktemp("running") / "a folder")
    system.start()
    yield system
    system.stop()
