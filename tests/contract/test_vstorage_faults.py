"""When vstorage is not the file it should be, the log gets the record, and vstorage gets it from there afterwards."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.agreement import stores_agree, until
from tests.contract.client import get, within
from tests.contract.test_get_status import LINE
from tests.processes import Services

pytestmark = pytest.mark.live


@pytest.fixture
def vstorage(services: Services) -> Iterator[Path]:
    """Nothing is at the path: the test says what is. Afterwards it is a good file again, and gets what it lacks."""
    remove(services.vstorage)
    yield services.vstorage
    remove(services.vstorage)
    services.vstorage.touch()
    until(lambda: stores_agree(services))
    assert services.vstorage.read_bytes().count(b"\n") == 1


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def only_the_log_has_it(services: Services, reason: str) -> None:
    with within(3):
        ready = get(f"{services.service2}/readyz")
    assert ready.status_code == 503
    assert (ready.json()["ready"], ready.json()["reasons"]) == (False, [reason])
    with within(3):
        answer = get(f"{services.service2}/status")
    assert answer.status_code == 200
    assert answer.headers["Record-Delivery"] == "storage=stored, vstorage=failed"
    assert LINE.fullmatch(answer.text.removesuffix("\n"))
    assert get(f"{services.storage}/log").text == answer.text


def both_have_it(services: Services) -> None:
    before = services.vstorage.read_text()
    answer = get(f"{services.service2}/status")
    assert answer.headers["Record-Delivery"] == "storage=stored, vstorage=written"
    assert services.vstorage.read_text() == before + answer.text
    assert get(f"{services.service2}/readyz").status_code == 200


def test_missing(services: Services, vstorage: Path):
    only_the_log_has_it(services, "vstorage_not_writable")
    assert not vstorage.exists()  # making it would hide that the mount is missing


def test_a_directory(services: Services, vstorage: Path):
    vstorage.mkdir()
    only_the_log_has_it(services, "vstorage_not_writable")


def test_a_fifo(services: Services, vstorage: Path):
    os.mkfifo(vstorage)
    only_the_log_has_it(services, "vstorage_not_writable")


def test_a_device(services: Services, vstorage: Path):
    vstorage.symlink_to("/dev/null")
    only_the_log_has_it(services, "vstorage_not_writable")


def test_not_writable(services: Services, vstorage: Path):
    # Permissions do not stop root, who may run the tests. The file of a running program is refused to root, too.
    shutil.copy("/bin/sleep", vstorage)
    with subprocess.Popen([vstorage, "60"]) as process:
        try:
            only_the_log_has_it(services, "vstorage_not_writable")
        finally:
            process.kill()


def test_deleted_under_its_mount(services: Services, vstorage: Path):
    # What a bind mount shows after the host has replaced the file: an open file without a name.
    with vstorage.open("w") as mounted:
        vstorage.unlink()
        vstorage.symlink_to(f"/proc/{os.getpid()}/fd/{mounted.fileno()}")
        only_the_log_has_it(services, "vstorage_stale")


def test_emptied_while_it_runs(services: Services):
    both_have_it(services)
    services.vstorage.write_bytes(b"")
    both_have_it(services)


def test_replaced_while_it_runs(services: Services):
    both_have_it(services)
    new = services.vstorage.with_name("new")
    new.write_text("of the new file\n")
    new.replace(services.vstorage)
    both_have_it(services)


def test_locked_by_another_for_too_long_nothing_is_kept(services: Services):
    with services.vstorage.open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with within(3):
            answer = get(f"{services.service2}/status")
    assert answer.status_code == 503
    assert "another process held its lock for more than 0.8 s" in answer.text
    assert get(f"{services.storage}/log").content == b""
    both_have_it(services)
