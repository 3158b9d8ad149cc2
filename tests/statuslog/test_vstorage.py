"""The locked append to the file that two services share."""

import errno
import fcntl
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from statuslog.env import ROOT
from statuslog.record import EPOCH
from statuslog.vstorage import Behind, Vstorage, VstorageError

NOW = datetime(2025, 9, 26, 16, 45, 6, 123456, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def append(file: Path, *lines: str) -> None:
    with Vstorage(file).locked(1) as appender:
        appender.append(lines)


def reason(file: Path) -> str:
    """The word of /readyz for what is wrong; an append fails for the same reason."""
    with pytest.raises(VstorageError) as checked:
        Vstorage(file).check()
    with pytest.raises(VstorageError) as appended:
        append(file, "a")
    assert checked.value.reason == appended.value.reason
    assert str(file) in str(checked.value)
    return checked.value.reason


@contextmanager
def held(file: Path) -> Iterator[None]:
    """The lock in another's hands."""
    with file.open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        yield


# appending


def test_each_line_is_ended_by_a_newline(file: Path):
    append(file, "a", "ä", "😀")
    append(file, "b")
    assert file.read_bytes() == "a\nä\n😀\nb\n".encode()


def test_it_appends_to_what_others_have_written(file: Path):
    file.write_text("from the host\n")
    append(file, "a")
    assert file.read_text() == "from the host\na\n"


def test_a_lock_that_does_not_exclude_is_noticed(file: Path, caplog: pytest.LogCaptureFixture):
    # As on Docker Desktop for Mac, or through an overlay and its upper folder.
    for others, noticed in (("theirs\n", True), ("", False)):
        caplog.clear()
        with Vstorage(file).locked(1) as appender:
            appender.begin(NOW, 1)
            with file.open("a") as other:
                other.write(others)
            appender.append(["ours"])
        assert ("another process has written to it while its lock was held" in caplog.text) == noticed
    assert file.read_text() == "theirs\nours\nours\n"


def test_emptying_the_file_under_the_lock_is_no_other_writer(file: Path, caplog: pytest.LogCaptureFixture):
    append(file, "a")
    with Vstorage(file).locked(1) as appender:
        appender.begin(NOW, 1)
        file.write_text("")
        appender.append(["b"])
    assert (file.read_text(), caplog.text) == ("b\n", "")


def test_emptying_the_file_is_noticed_at_once(file: Path):
    append(file, "a")
    file.write_text("")
    append(file, "b")
    assert file.read_bytes() == b"b\n"


def test_a_file_put_in_its_place_is_noticed_at_once(file: Path, tmp_path: Path):
    append(file, "a")
    (tmp_path / "new").touch()
    (tmp_path / "new").rename(file)
    append(file, "b")
    assert file.read_bytes() == b"b\n"


@pytest.mark.parametrize("room", [0, 1, 10])
def test_a_short_write_leaves_the_file_as_it_was(file: Path, room: int):
    append(file, "before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + room, hard))  # a full disk, for this process
    try:
        with pytest.raises(VstorageError) as error:
            append(file, "0123456789", "0123456789")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert error.value.reason == "vstorage_not_writable"
    assert file.read_bytes() == b"before\n"


def test_processes_that_append_at_once_tear_no_line_and_lose_none(file: Path):
    code = (
        "import sys, pathlib; from statuslog.vstorage import Vstorage\n"
        "store = Vstorage(pathlib.Path(sys.argv[1]))\n"
        "for n in range(200):\n"
        "    with store.locked(20) as file: file.append([f'{sys.argv[2]} {n} ' + 'x' * 50] * 2)"
    )
    command = [sys.executable, "-c", code, str(file)]
    together = [subprocess.Popen([*command, str(number)], cwd=ROOT) for number in range(4)]
    assert [process.wait() for process in together] == [0] * 4
    lines = file.read_text().splitlines()
    assert len(lines) == 4 * 200 * 2
    assert lines[::2] == lines[1::2]  # nobody came between the two lines of one append
    assert set(lines) == {f"{number} {n} " + "x" * 50 for number in range(4) for n in range(200)}


# the lock


def test_the_lock_excludes_another_thread(file: Path):
    inside = []

    def work() -> None:
        with Vstorage(file).locked(5):
            inside.append("in")
            time.sleep(0.01)
            inside.append("out")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inside == ["in", "out"] * 8


def test_a_lock_held_too_long_is_not_waited_for(file: Path):
    with held(file):
        started = time.monotonic()
        with pytest.raises(VstorageError, match=r"held its lock for more than 0\.2 s") as error:
            append_within(file, 0.2)
        assert 0.2 <= time.monotonic() - started < 1
    assert error.value.reason == "vstorage_locked"
    assert file.read_bytes() == b""


def append_within(file: Path, timeout: float) -> None:
    with Vstorage(file).locked(timeout) as appender:
        appender.append(["a"])


def test_a_lock_that_comes_free_in_time_is_taken(file: Path):
    with held(file):
        waiting = threading.Thread(target=append_within, args=(file, 5))
        waiting.start()
        time.sleep(0.1)
        assert waiting.is_alive()
    waiting.join(2)
    assert file.read_bytes() == b"a\n"


def test_one_that_gave_up_does_not_keep_the_lock(file: Path):
    store = Vstorage(file)
    with held(file), pytest.raises(VstorageError), store.locked(0.1):
        pass
    for _ in range(3):
        with store.locked(2) as appender:  # also by the same object, whose waiting thread had to come home first
            appender.append(["a"])
    append_within(file, 2)
    assert file.read_bytes() == b"a\n" * 4


def test_an_error_inside_releases_the_lock(file: Path):
    with pytest.raises(ZeroDivisionError), Vstorage(file).locked(1):
        _ = 1 / 0
    append_within(file, 0.2)


def test_no_descriptor_stays_open(file: Path, tmp_path: Path):
    def opened() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = opened()
    for _ in range(3):
        append(file, "a")
        with held(file), pytest.raises(VstorageError):
            append_within(file, 0.05)
        with pytest.raises(VstorageError):
            append(tmp_path, "a")
    deadline = time.monotonic() + 2
    while opened() > before and time.monotonic() < deadline:
        time.sleep(0.01)  # those who gave up get the lock, and let go of it, in a thread of their own
    assert opened() <= before


# times


def test_a_batch_has_one_time_after_the_other(file: Path):
    with Vstorage(file).locked(1) as appender:
        assert appender.begin(NOW, 3) == [NOW, NOW + MICROSECOND, NOW + 2 * MICROSECOND]


def test_times_go_on_behind_the_newest_when_the_clock_is_set_back(file: Path):
    with Vstorage(file).locked(1) as appender:
        appender.begin(NOW, 3)
    with Vstorage(file).locked(1) as appender:  # another process, for all that this file knows
        assert appender.begin(NOW - timedelta(hours=1), 2) == [NOW + 3 * MICROSECOND, NOW + 4 * MICROSECOND]


def test_times_follow_the_clock_when_it_goes_on(file: Path):
    with Vstorage(file).locked(1) as appender:
        appender.begin(NOW, 3)
        assert appender.begin(NOW + timedelta(seconds=1), 1) == [NOW + timedelta(seconds=1)]


def test_a_filesystem_without_extended_attributes_has_the_clock_alone(file: Path, monkeypatch: pytest.MonkeyPatch):
    def not_supported(*args: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "getxattr", not_supported)
    monkeypatch.setattr(os, "setxattr", not_supported)
    with Vstorage(file).locked(1) as appender:
        assert appender.begin(NOW, 2) == [NOW, NOW + MICROSECOND]


# what is kept with the file


def behind(file: Path) -> Behind | None:
    with Vstorage(file).locked(1) as locked:
        return locked.behind


def test_from_begin_to_append_the_file_counts_as_behind(file: Path):
    append(file, "before")
    with Vstorage(file).locked(1) as locked:
        locked.begin(NOW, 1)
    assert behind(file) == Behind(NOW, len("before\n"))  # whoever had it locked has died
    append(file, "after")
    assert behind(file) is None


def test_a_file_that_is_behind_is_named_by_readyz(file: Path):
    with Vstorage(file).locked(1) as locked:
        locked.begin(NOW, 1)
        Vstorage(file).check()  # somebody is at work on it
    with pytest.raises(VstorageError) as error:
        Vstorage(file).check()
    assert error.value.reason == "vstorage_behind"


def test_catching_up_cuts_back_and_writes_what_the_log_has(file: Path):
    append(file, "before")
    with Vstorage(file).locked(1) as locked:
        locked.begin(NOW, 1)
        os.write(locked._descriptor, b"of nobody knows whom\n")
    with Vstorage(file).locked(1) as locked:
        locked.catch_up([(NOW, "a"), (NOW + MICROSECOND, "b")])
        assert locked.behind == Behind(NOW + 2 * MICROSECOND, len("before\na\nb\n"))
        locked.catch_up([])
    assert behind(file) is None
    assert file.read_text() == "before\na\nb\n"


def test_catching_up_starts_at_the_front_of_a_file_that_was_emptied(file: Path):
    append(file, "before")
    with Vstorage(file).locked(1) as locked:
        locked.begin(NOW, 1)
    file.write_text("")
    with Vstorage(file).locked(1) as locked:
        locked.catch_up([(NOW, "a")])
    assert file.read_text() == "a\n"


def line(second: int, text: str = "x") -> str:
    return f"2025-09-26T16:45:{second:02}Z: {text}\n"


def test_a_torn_tail_is_taken_back_to_the_last_whole_second(file: Path):
    file.write_text(line(1) + line(2) + line(3) + line(3) + line(3)[:20])
    since = datetime(2025, 9, 26, 16, 45, 3, tzinfo=UTC)
    assert behind(file) == Behind(since, len(line(1) * 2))


@pytest.mark.parametrize("torn", ["2025-09", "x", "2025-09-26T16:45:06Z: uptime"])
def test_a_file_of_one_torn_line_is_written_anew(file: Path, torn: str):
    file.write_text(torn)
    assert behind(file) == Behind(EPOCH, 0)


def test_falling_behind_finds_the_place_in_a_long_file(file: Path):
    lines = [line(number // 3000, "y" * (number % 80)) for number in range(60 * 3000)]
    file.write_text("".join(lines))
    with Vstorage(file).locked(1) as locked:
        locked.fall_behind(datetime(2025, 9, 26, 16, 45, 7, 999, tzinfo=UTC))
        assert locked.behind == Behind(datetime(2025, 9, 26, 16, 45, 7, tzinfo=UTC), len("".join(lines[: 7 * 3000])))


def test_lines_that_are_no_records_go_with_the_second_behind_them(file: Path):
    file.write_text(line(1) + "hello\n2025-02-30T00:00:00Z: never\n" + line(2))
    with Vstorage(file).locked(1) as locked:
        locked.fall_behind(datetime(2025, 9, 26, 16, 45, 2, tzinfo=UTC))
        assert locked.behind and locked.behind.offset == len(line(1))


@pytest.mark.parametrize(
    ("last", "since"),
    [
        ("2025-09-26T18:45:03+02:00: x", 3),
        ("Timestamp1: 2025-09-26T16:45:03.999999999Z: x", 3),
        ("a line of 2025-09-26 16:45:03 UTC", 3),
        ("Fri Sep 26 16:45:03 UTC 2025: x", 3),
        ("2025-09-26 16:45:03: local", 2),
        ("\ud800".encode("utf-8", "surrogatepass").decode(errors="replace"), 2),
    ],
)
def test_a_line_of_another_program_has_its_time(file: Path, last: str, since: int):
    file.write_text(line(1) + line(2) + f"{last}\n" + "torn")
    beginning = line(1) if since == 2 else line(1) + line(2)
    assert behind(file) == Behind(datetime(2025, 9, 26, 16, 45, since, tzinfo=UTC), len(beginning))


def test_the_place_of_a_time_among_lines_of_other_programs(file: Path):
    others = ["Timestamp1: 2025-09-26T16:45:01Z\n", "2025-09-26T18:45:02+02:00\n", "Fri Sep 26 16:45:03 UTC 2025\n"]
    file.write_text("".join(others))
    with Vstorage(file).locked(1) as locked:
        locked.fall_behind(datetime(2025, 9, 26, 16, 45, 2, tzinfo=UTC))
        assert locked.behind and locked.behind.offset == len(others[0])


def test_falling_behind_again_keeps_the_earlier_time(file: Path):
    file.write_text(line(1) + line(2) + line(3))
    with Vstorage(file).locked(1) as locked:
        locked.fall_behind(datetime(2025, 9, 26, 16, 45, 2, tzinfo=UTC))
        earlier = locked.behind
        locked.fall_behind(datetime(2025, 9, 26, 16, 45, 3, tzinfo=UTC))
        assert locked.behind == earlier


def test_a_short_write_while_catching_up_leaves_whole_lines(file: Path):
    with Vstorage(file).locked(1) as locked:
        locked.begin(NOW, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5, hard))
    try:
        with pytest.raises(VstorageError), Vstorage(file).locked(1) as locked:
            locked.catch_up([(NOW, "0123456789")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert file.read_bytes() == b""
    assert behind(file) == Behind(NOW, 0)


def test_each_service_says_whether_its_outbox_waits(file: Path):
    with Vstorage(file).locked(1) as locked:
        assert locked.waiting() == set()
        locked.set_waiting("service1", True)
        locked.set_waiting("service2", True)
        locked.set_waiting("service1", True)
    with Vstorage(file).locked(1) as locked:
        assert locked.waiting() == {"service1", "service2"}
        locked.set_waiting("service1", False)
        locked.set_waiting("service1", False)
        assert locked.waiting() == {"service2"}


# what is not vstorage


def test_a_good_file_passes(file: Path):
    Vstorage(file).check()


def test_a_missing_file_is_not_made(tmp_path: Path):
    assert reason(tmp_path / "vstorage") == "vstorage_not_writable"
    assert not (tmp_path / "vstorage").exists()


def test_a_directory_is_not_writable(tmp_path: Path):
    assert reason(tmp_path) == "vstorage_not_writable"


def test_a_fifo_does_not_hang_anybody(tmp_path: Path):
    os.mkfifo(tmp_path / "vstorage")
    started = time.monotonic()
    assert reason(tmp_path / "vstorage") == "vstorage_not_writable"
    assert time.monotonic() - started < 1


def test_a_device_is_not_vstorage():
    assert reason(Path("/dev/null")) == "vstorage_not_writable"


def test_a_file_that_must_not_be_written_is_not_writable(tmp_path: Path):
    # Permissions do not stop root, who may run the tests. The file of a running program is refused to root, too.
    program = tmp_path / "vstorage"
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "60"]) as process:
        try:
            assert reason(program) == "vstorage_not_writable"
        finally:
            process.kill()


def test_a_file_that_was_deleted_under_its_mount_is_stale(file: Path):
    with file.open("a") as mounted:
        file.unlink()
        assert reason(Path(f"/proc/self/fd/{mounted.fileno()}")) == "vstorage_stale"
