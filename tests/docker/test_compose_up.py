"""`docker compose up --build` on a fresh clone, whoever owns it, and what stays after `down`."""

import subprocess

import pytest

from tests.docker.stack import LINE, Stack

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]


def assert_both_stores_keep_each_call(stack: Stack, calls: int) -> None:
    answered = [line for _ in range(calls) for line in stack.status()]
    assert len(answered) == 2 * calls
    assert all(LINE.fullmatch(line) for line in answered)
    assert stack.log() == stack.vstorage.read_bytes()
    assert sorted(stack.log().decode().splitlines()) == sorted(answered)


def empty_vstorage_as_its_owner(stack: Stack) -> None:
    owner = stack.vstorage.stat().st_uid
    subprocess.run(": > vstorage", shell=True, cwd=stack.folder, user=owner, group=owner, extra_groups=[], check=True)


def test_it_works_for_every_owner_of_the_clone(owned_stack: Stack) -> None:
    owned_stack.up()
    assert_both_stores_keep_each_call(owned_stack, calls=3)
    assert "Everything is all right" in owned_stack.get(owned_stack.public).text
    empty_vstorage_as_its_owner(owned_stack)
    assert sorted(owned_stack.status()) == sorted(owned_stack.vstorage.read_text().splitlines())


def test_down_keeps_the_log_and_down_volumes_empties_it(stack: Stack) -> None:
    stack.status()
    kept = stack.log()
    stack.compose("down")
    stack.up()
    assert stack.log() == kept
    stack.compose("down", "--volumes")
    stack.vstorage.write_bytes(b"")
    stack.up()
    assert stack.log() == b""
    assert_both_stores_keep_each_call(stack, calls=1)
