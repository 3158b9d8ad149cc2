"""Refuses a host that the services cannot work on, before anything is imported that needs more than Python."""

import sys


def need_linux(platform: str = sys.platform, largest: int = sys.maxsize) -> None:
    """Exit with one line unless this is 64-bit Linux, whose /proc is read and whose locks filelock.py packs."""
    if platform != "linux" or largest < 2**32:
        found = f"{platform}, {'64' if largest > 2**32 else '32'} bit"
        remedy = "" if platform == "linux" else "; use Docker: docker compose up --build"
        sys.exit(f"statuslog needs 64-bit Linux, and this is {found}{remedy}")
