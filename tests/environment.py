"""The environment that the settings are read in, whichever of them pytest is started with.

pytest loads this module before any settings (`-p` in pyproject.toml), so that what they make (databases, keys)
goes to a temporary folder, and no variable of the developer's own shell changes what a test sees.
"""

import os
import tempfile
from pathlib import Path

from tests.processes import clean_environment

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
