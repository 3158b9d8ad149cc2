"""Faults of containers, their network and their disks, under load of the published port. The oracle judges."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docker.conftest import clone
from tests.docker.stack import SERVICES, Stack, docker
from tests.live.oracle import Load, check, load
from tests.thorough import times

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]

CLIENTS = 16
# Small disks, with room for what all tests together store. The keeper holds on to the volume, which as a tmpfs
# would end with the last container that uses it.
SMALL_DISKS = """
x-vstorage: &vstorage {type: bind, source: ./disk/vstorage, target: /vstorage}
services:
  service1: {volumes: [*vstorage]}
  service2: {volumes: [*vstorage]}
  vstorage-init: {volumes: [*vstorage]}
  keeper:
    image: ${COMPOSE_PROJECT_NAME}-storage
    pull_policy: never
    init: true
    network_mode: none
    command: [sleep, infinity]
    volumes: ["storage-data:/data/storage"]
volumes:
  storage-data:
    driver_opts: {type: tmpfs, device: tmpfs, o: "size=64m,uid=10001,gid=10001"}
"""


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A disk of 32 MB at the folder `disk`; an ordinary folder for whoever may not mount one."""
    image, disk = folder / "disk.img", folder / "disk"
    disk.mkdir()
    if os.getuid() != 0:
        yield
        return
    with image.open("wb") as file:
        file.truncate(32 * 2**20)
    # ext4, as not every kernel has extended attributes on tmpfs.
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, disk], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.fixture(scope="module")
def small_stack(engine: None) -> Iterator[Stack]:
    """A running stack on small disks, which the tests share."""
    with clone() as folder, small_disk(folder):
        (folder / "docker-compose.override.yml").write_text(SMALL_DISKS)
        stack = Stack(folder, MIN_FREE_BYTES=str(2**20))
        stack.vstorage = folder / "disk" / "vstorage"
        stack.vstorage.touch()
        try:
            stack.up()
            yield stack
        finally:
            stack.remove()


@contextmanager
def under_load(stack: Stack) -> Iterator[Load]:
    """The clients ask a second before the fault, during it, and two seconds after; then the stores agree."""
    with load(stack, CLIENTS) as seen:
        time.sleep(1)
        yield seen
        time.sleep(2)
    check(stack, seen)


def fill(path: Path) -> None:
    """Let the file grow until its disk is full."""
    with pytest.raises(OSError, match="No space left"), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_killed_again_and_again(small_stack: Stack, service: str) -> None:
    kill_worker = "read -r gunicorn < /proc/1/task/1/children; kill -9 $(cat /proc/$gunicorn/task/$gunicorn/children)"
    with under_load(small_stack) as seen:
        for _ in range(times(2, 10)):  # twice each time: the worker, then the container
            small_stack.wait_until_ready()
            small_stack.compose("exec", "-T", service, "sh", "-c", kill_worker)
            time.sleep(1)
            docker("kill", small_stack.container(service))
            time.sleep(0.5)
            docker("start", small_stack.container(service))
    if service == "storage":
        assert seen.share_of_200 >= 0.95


def test_storage_hangs(small_stack: Stack) -> None:
    with under_load(small_stack) as seen:
        docker("pause", small_stack.container("storage"))
        time.sleep(8)
        docker("unpause", small_stack.container("storage"))
    assert seen.share_of_200 >= 0.95
    assert seen.deliveries["storage=queued, vstorage=written"] > 100


def test_storage_leaves_the_network(small_stack: Stack) -> None:
    backend, storage = f"{small_stack.project}_backend", small_stack.container("storage")
    with under_load(small_stack) as seen:
        docker("network", "disconnect", backend, storage)
        time.sleep(15)
        docker("network", "connect", "--alias", "storage", backend, storage)
    assert seen.share_of_200 >= 0.95
    assert seen.deliveries["storage=queued, vstorage=written"] > 100


@pytest.mark.parametrize("service", SERVICES)
def test_a_restart_cuts_no_answer_off(small_stack: Stack, service: str) -> None:
    before = records_of_service1(small_stack)
    with under_load(small_stack) as seen:
        for _ in range(times(2, 5)):
            docker("restart", small_stack.container(service))
            time.sleep(1)
    # Of what service1 has kept, each client has got the whole answer.
    assert records_of_service1(small_stack) - before == seen.codes[200] + seen.codes[502] + seen.codes[504]
    if service == "storage":
        assert seen.share_of_200 >= 0.95


def records_of_service1(stack: Stack) -> int:
    records = stack.get(f"{stack.public}/log?format=ndjson").text.splitlines()
    return sum(json.loads(record)["service"] == "service1" for record in records)


def test_the_volume_of_storage_is_full(small_stack: Stack) -> None:
    filler = "/data/storage/filler"
    with under_load(small_stack) as seen:
        small_stack.compose("exec", "-T", "keeper", "sh", "-c", f"cat /dev/zero > {filler} || true")
        time.sleep(3)
        small_stack.compose("exec", "-T", "keeper", "rm", filler)
    assert seen.share_of_200 >= 0.95
    assert seen.deliveries["storage=queued, vstorage=written"] > 100


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a disk that is soon full")
def test_the_disk_of_vstorage_is_full(small_stack: Stack) -> None:
    filler = small_stack.vstorage.with_name("filler")
    with under_load(small_stack) as seen:
        fill(filler)
        time.sleep(3)
        filler.unlink()
    assert seen.deliveries["storage=stored, vstorage=failed"] > 10
