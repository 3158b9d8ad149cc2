"""Hosts that are not like this one: a clone of Windows, an old Compose, file systems without owners."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.conftest import clone
from tests.docker.stack import LINE, SERVICES, Stack, copy_source, docker
from tests.processes import ROOT
from tests.required import leave_out

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

OWNER = 1000  # of the file, and not the services' user
MAY_TRY = ("--cap-add", "SETUID", "--cap-add", "SETGID")  # what the container has, but for what changes a group


def assert_the_story_of_the_readme(stack: Stack) -> None:
    lines = stack.status() + stack.status()
    assert len(lines) == 4
    assert all(LINE.fullmatch(line) for line in lines)
    assert stack.log() == stack.vstorage.read_bytes()


@pytest.fixture(scope="module")
def old_compose(engine: None) -> str:
    """The folder of a Compose that is years older than the one at hand."""
    done = subprocess.run([ROOT / ".ci" / "engine", "old-compose"], capture_output=True, text=True)
    if done.returncode:
        leave_out(f"no old Compose: {done.stderr.strip()}")
    return done.stdout.strip()


@pytest.mark.parametrize("compatibility", ["", "true"], ids=["", "compatibility"])
def test_the_oldest_compose_takes_both_files(old_compose: str, stack: Stack, compatibility: str) -> None:
    for files in ("docker-compose.yml", "docker-compose.yml:docker-compose.postgres.yml"):
        settings = {"COMPOSE_FILE": files, "COMPOSE_COMPATIBILITY": compatibility}
        images = stack.compose("config", "--images", DOCKER_CONFIG=old_compose, **settings).split()
        assert len(images) == len(set(images))


def test_a_clone_of_windows_and_the_oldest_compose_in_compatibility_mode(old_compose: str, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    copy_source(origin)
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=all"]):
        subprocess.run(["git", *identity, *command], cwd=origin, check=True)
    with clone() as folder:
        shutil.rmtree(folder)
        subprocess.run(["git", "clone", "--quiet", "--config", "core.autocrlf=true", origin, folder], check=True)
        old = Stack(folder, DOCKER_CONFIG=old_compose, COMPOSE_COMPATIBILITY="true")
        try:
            old.up()
            assert_the_story_of_the_readme(old)
        finally:
            old.remove()


@pytest.fixture
def fat(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system that knows neither owners nor modes, and shows every file as everybody's."""
    image, folder = tmp_path / "fat.img", tmp_path / "fat"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(8 * 2**20)
    make, mount = ["mkfs.exfat"], ["mount.exfat-fuse", "-o", "umask=000,allow_other"]
    if program("mkfs.vfat") and "\tvfat\n" in Path("/proc/filesystems").read_text():  # as not every kernel has it
        make, mount = ["mkfs.vfat"], ["mount", "-o", "umask=000"]
    device = run_or_leave_out("losetup", "--find", "--show", str(image))
    try:
        run_or_leave_out(*make, device)
        run_or_leave_out(*mount, device, str(folder))
        try:
            yield folder
        finally:
            subprocess.run(["umount", folder], check=True)
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def program(name: str) -> str | None:
    return shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")


def run_or_leave_out(*command: str) -> str:
    """What the command prints, without the line's end."""
    path = program(command[0])
    done = path and subprocess.run([path, *command[1:]], capture_output=True, text=True)
    if not done or done.returncode:
        why = done.stderr.strip() if done else "it is not installed (Debian: apt-get install exfatprogs exfat-fuse)"
        leave_out(f"no file system without owners: {command[0]}: {why}")
    return done.stdout.strip()


def test_a_folder_on_fat(stack: Stack, fat: Path) -> None:
    shutil.copyfile(ROOT / "docker-compose.yml", fat / "docker-compose.yml")
    (fat / "vstorage").touch()
    fats = Stack(fat)
    try:
        for service in (*SERVICES, "vstorage-init"):  # they are the same, whatever folder they were built in
            docker("tag", stack.image(service), fats.image(service))
        fats.compose("up", "--no-build", "--detach", "--wait", "--wait-timeout", "30")
        assert "but user 10001 can write to it as it is" in fats.output("vstorage-init")
        assert_the_story_of_the_readme(fats)
    finally:
        fats.remove()


def init(stack: Stack, path: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """What the container does with a file that is mounted there."""
    mount = ["--volume", f"{path}:/vstorage", "--cap-drop", "ALL", *options]
    command = ["docker", "run", "--rm", "--network=none", *mount, stack.image("vstorage-init")]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A file of somebody else, whose group a container without CHOWN may not change."""
    if os.getuid() != 0:
        leave_out("only root can make a file of somebody else")
    file = tmp_path / "vstorage"
    file.touch()
    os.chown(file, OWNER, OWNER)
    return file


def test_a_group_that_cannot_be_changed_is_left_if_all_can_write(stack: Stack, foreign: Path) -> None:
    foreign.chmod(0o666)
    done = init(stack, foreign, *MAY_TRY)
    assert (done.returncode, done.stderr) == (0, "")
    assert foreign.stat().st_gid == OWNER


def test_else_one_line_names_the_fix(stack: Stack, foreign: Path) -> None:
    foreign.chmod(0o644)
    done = init(stack, foreign, *MAY_TRY)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert "user 10001 cannot write to vstorage (Permission denied)" in line
    assert "its group cannot be changed (Operation not permitted)" in line
    assert "chmod a+rw vstorage" in line
    foreign.chmod(0o666)  # the fix
    assert init(stack, foreign, *MAY_TRY).returncode == 0


def test_a_read_only_mount_and_a_folder_are_named(stack: Stack, foreign: Path) -> None:
    done = init(stack, foreign, *MAY_TRY, "--cap-add", "CHOWN", "--cap-add", "FOWNER", "--read-only")
    assert done.returncode == 0, done.stderr
    read_only = subprocess.run(
        ["docker", "run", "--rm", "--volume", f"{foreign}:/vstorage:ro", stack.image("vstorage-init")],
        capture_output=True,
        text=True,
    )
    assert (read_only.returncode, read_only.stderr.count("\n")) == (1, 1)
    assert "Read-only file system" in read_only.stderr
    folder = init(stack, foreign.parent, *MAY_TRY)
    assert (folder.returncode, folder.stderr.count("\n")) == (1, 1)
    assert "rmdir vstorage && touch vstorage" in folder.stderr


def test_a_missing_vstorage_is_said_and_not_replaced_by_a_folder(stack: Stack, tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "docker-compose.yml", tmp_path / "docker-compose.yml")
    without = Stack(tmp_path)
    try:
        for service in (*SERVICES, "vstorage-init"):
            docker("tag", stack.image(service), without.image(service))
        with pytest.raises(AssertionError, match="bind source path does not exist"):
            without.compose("up", "--no-build", "--detach")
        assert not without.vstorage.exists()
    finally:
        without.remove()
