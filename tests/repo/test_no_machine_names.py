"""No file of the repository speaks of the machine that it was written on."""

import configparser
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from tests.processes import ROOT
from tests.repo.tracked import tracked_files

# A home or a workplace, and names that only an internal network knows.
PATHS = re.compile(r"(?<![\w.~$}/-])/(?:root|home/\w+|Users/\w+|work|workspace)(?:/|\b(?![\w-]))")
INTERNAL_HOST = re.compile(r"https?://(?:[\w-]+\.)*(?:internal|intranet|local|lan|corp|svc)\b")
PUBLIC_HOSTS = {"pypi.org", "files.pythonhosted.org", "deb.debian.org", "security.debian.org"}


def texts() -> Iterator[tuple[Path, str]]:
    for path in tracked_files():
        try:
            yield path.relative_to(ROOT), path.read_text()
        except UnicodeDecodeError:
            continue  # a picture


def registry_hosts() -> set[str]:
    """The hosts that this machine's pip and apt are set to, but the public ones."""
    addresses = [value for name, value in os.environ.items() if name.startswith("PIP_")]
    for place in (Path("/etc/pip.conf"), Path.home() / ".config/pip/pip.conf", Path.home() / ".pip/pip.conf"):
        config = configparser.RawConfigParser()
        config.read(place)
        addresses += [value for section in config.values() for value in section.values()]
    for source in Path("/etc/apt").glob("sources.list*/**/*"):
        addresses.append(source.read_text(errors="replace") if source.is_file() else "")
    urls = re.findall(r"\w+://[^\s\"']+", "\n".join(addresses))
    return {host for url in urls if (host := urlsplit(url).hostname)} - PUBLIC_HOSTS


def test_no_machine_path():
    found = [f"{path}: {match.group()}" for path, text in texts() for match in PATHS.finditer(text)]
    assert not [line for line in found if not line.startswith("tests/repo/test_no_machine_names.py")]


def test_no_internal_host():
    assert not [f"{path}: {match.group()}" for path, text in texts() for match in INTERNAL_HOST.finditer(text)]


def test_no_registry_host():
    assert not [f"{path}: {host}" for path, text in texts() for host in registry_hosts() if host in text]


def test_no_record_of_a_machine_is_committed():
    listed = subprocess.run(["git", "ls-files", "--stage", "vstorage"], cwd=ROOT, capture_output=True, text=True)
    empty = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert empty in listed.stdout, "vstorage is staged with lines in it: git restore --staged vstorage"
