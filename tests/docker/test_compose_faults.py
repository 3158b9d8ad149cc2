"""A container that is gone, hangs or dies: every answer still comes within three seconds."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from tests.docker.stack import LINE, SERVICES, Stack, docker

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]


@contextmanager
def broken(stack: Stack, breaking: str, mending: str, service: str) -> Iterator[Stack]:
    # Not by Compose: it would refuse to start one whose neighbour is still unhealthy from the fault before.
    docker(breaking, stack.container(service))
    try:
        yield stack
    finally:
        docker(mending, stack.container(service))
        stack.wait_until_ready()
        wait_until_equal(stack)


@pytest.fixture
def storage_stopped(stack: Stack) -> Iterator[Stack]:
    with broken(stack, "stop", "start", "storage"):
        yield stack


@pytest.fixture
def storage_paused(stack: Stack) -> Iterator[Stack]:
    with broken(stack, "pause", "unpause", "storage"):
        yield stack


@pytest.fixture
def service2_stopped(stack: Stack) -> Iterator[Stack]:
    with broken(stack, "stop", "start", "service2"):
        yield stack


@pytest.fixture
def service2_paused(stack: Stack) -> Iterator[Stack]:
    with broken(stack, "pause", "unpause", "service2"):
        yield stack


def get_within_three_seconds(stack: Stack, path: str) -> requests.Response:
    started = time.monotonic()
    answer = stack.get(stack.public + path)
    assert time.monotonic() - started < 3
    return answer


def assert_own_record_then_reason(stack: Stack, answer: requests.Response) -> None:
    own, reason = answer.text.splitlines()
    assert LINE.fullmatch(own)
    assert reason.startswith("service2: unavailable (")
    assert_both_stores_end_with(stack, own)


def wait_until_equal(stack: Stack) -> None:
    """What waits in an outbox is delivered within seconds."""
    deadline = time.monotonic() + 20
    while stack.log() != stack.vstorage.read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def assert_both_stores_end_with(stack: Stack, line: str) -> None:
    assert stack.log().decode().splitlines()[-1] == line
    assert stack.vstorage.read_text().splitlines()[-1] == line


def test_storage_stopped(storage_stopped: Stack) -> None:
    status = get_within_three_seconds(storage_stopped, "/status")
    assert (status.status_code, status.headers["Record-Delivery"]) == (200, "storage=queued, vstorage=written")
    assert get_within_three_seconds(storage_stopped, "/log").status_code == 502


def test_storage_stopped_seen_by_service2_alone(storage_stopped: Stack) -> None:
    # On an internal network the name of a stopped container is looked up for ten seconds, if nothing is done about it.
    code = """if True:
        import requests, time
        started = time.monotonic()
        answer = requests.get("http://127.0.0.1:8000/status", timeout=15)
        print(answer.status_code, time.monotonic() - started)
    """
    status_code, seconds = storage_stopped.python("service2", code).split()
    assert (status_code, float(seconds) < 3) == ("200", True)


def test_storage_paused(storage_paused: Stack) -> None:
    status = get_within_three_seconds(storage_paused, "/status")
    assert (status.status_code, status.headers["Record-Delivery"]) == (200, "storage=queued, vstorage=written")
    assert get_within_three_seconds(storage_paused, "/log").status_code == 504


def test_service2_stopped(service2_stopped: Stack) -> None:
    answer = get_within_three_seconds(service2_stopped, "/status")
    assert answer.status_code == 502
    assert_own_record_then_reason(service2_stopped, answer)


def test_service2_paused(service2_paused: Stack) -> None:
    answer = get_within_three_seconds(service2_paused, "/status")
    assert answer.status_code == 504
    assert_own_record_then_reason(service2_paused, answer)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_was_killed_comes_back(stack: Stack, service: str) -> None:
    restarts = stack.inspect(service)["RestartCount"]
    # `docker kill` would count as the user's own wish to stop it; this is what the kernel does when memory is out.
    children = "/proc/1/task/1/children"
    stack.compose("exec", "-T", service, "sh", "-c", f"kill -9 $(cat {children})")
    stack.wait_until_ready()
    assert stack.inspect(service)["RestartCount"] == restarts + 1
    assert_both_stores_end_with(stack, stack.status()[1])
