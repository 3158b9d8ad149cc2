"""README's commands on the Compose stack need an engine like the tests in tests/docker."""

from tests.docker.conftest import engine

__all__ = ["engine"]
