"""The environment that the settings are read in, whichever of them pytest is started with.

pytest loads this module before any settings (`-p` in pyproject.toml), so that what they make (databases, keys)
goes to a temporary folder, and no variable of the developer's own shell changes what a test sees. With --postgres
storage is on a server of the run's own, in this process and as a service.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.processes import clean_environment, free_ports

_folder = tempfile.TemporaryDirectory(prefix="statuslog-tests-")  # removed when Python ends

for _name in os.environ.keys() - clean_environment().keys():
    if _name != "DJANGO_SETTINGS_MODULE" and not _name.startswith(("PYTEST_", "STATUSLOG_")):
        del os.environ[_name]

os.environ["DATA_DIR"] = str(Path(_folder.name, "data"))
os.environ["VSTORAGE_PATH"] = str(Path(_folder.name, "vstorage"))
os.environ["DJANGO_SECRET_KEY"] = "known to everybody, for tests only"
os.environ["STATIC_ROOT"] = str(Path(_folder.name, "static"))
for _needed in ("data/storage", "static"):
    Path(_folder.name, _needed).mkdir(parents=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgres", action="store_true", help="put storage on PostgreSQL, leave out what is about SQLite"
    )


@pytest.hookimpl(wrapper=True)  # and so before pytest-django reads the settings
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    if early_config.known_args_namespace.postgres:
        programs = postgres.find_server()
        if programs is None:
            raise pytest.UsageError(f"--postgres: {postgres.REMEDY}")
        postgres.server = postgres.PostgresServer(programs, free_ports(1)[0])
        early_config.add_cleanup(postgres.server.remove)
        postgres.server.start()
        os.environ["DATABASE_URL"] = postgres.server.url("statuslog")
    return (yield)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    other = "sqlite" if config.getoption("--postgres") else "postgres"
    left_out = [item for item in items if item.get_closest_marker(other)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
