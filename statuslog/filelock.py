"""flock(2) with a time-out. It excludes threads, processes and, on one host, containers."""

import fcntl
import os
import struct
from concurrent.futures import ThreadPoolExecutor

# A few, since a holder may be stopped for long; more of them would only wait for the same.
_waiters = ThreadPoolExecutor(max_workers=4, thread_name_prefix="filelock")


def try_lock(descriptor: int) -> bool:
    """Take the exclusive lock of an open file if nobody has it. Closing the file releases it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock(descriptor: int, timeout: float) -> None:
    """Take the exclusive lock of an open file; raises TimeoutError. Closing the file releases it.

    The kernel serves those who wait in flock(2) in turn; one who only tries again and again can starve. It
    knows no time-out, so another thread waits, on a copy of the descriptor: the lock is both's, and if the
    caller has given up by the time it comes, closing the copy releases it.
    """
    if try_lock(descriptor):
        return
    copy = os.dup(descriptor)
    waiting = _waiters.submit(fcntl.flock, copy, fcntl.LOCK_EX)
    waiting.add_done_callback(lambda _: os.close(copy))
    try:
        waiting.result(timeout)
    except TimeoutError:
        waiting.cancel()
        raise


def try_second_lock(descriptor: int) -> bool:
    """Take the second lock of an open file if nobody has it; the first, of flock(2), knows nothing of it.

    It is fcntl(2)'s, of the open file and not of the process: closing the file releases it.
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _whole_file())
    except (BlockingIOError, PermissionError):
        return False
    return True


def has_second_lock_of_another(descriptor: int) -> bool:
    """Whether the second lock was taken with another opening of the file."""
    found = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _whole_file())
    return bool(struct.unpack_from("h", found)[0] != fcntl.F_UNLCK)


def _whole_file() -> bytes:
    return struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)  # struct flock of 64-bit Linux
