"""What all tests of running processes share."""

from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.live.oracle")  # its assertions show what they compared


@pytest.fixture(scope="session")
def static_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every storage of a session looks for its static files, so that they are collected only once."""
    return tmp_path_factory.mktemp("static")
