"""Prints the addresses of this host that the services can listen on: 127.0.0.1, and [::1] where there is IPv6.

Says which of the NAME=PORT arguments cannot be listened on there, and why; exit code 0: all can.
"""

import errno
import socket
import sys

NO_IPV6 = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
ADDRESSES = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}

listening: list[socket.socket] = []  # kept open, so that a port named twice is seen


def listen(address: str, port: int) -> None:
    """Raises OSError; OverflowError for a number that no port has."""
    listening.append(socket.socket(ADDRESSES[address]))
    listening[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
    listening[-1].bind((address, port))
    listening[-1].listen()


def usable() -> list[str]:
    """The addresses that this host has."""
    try:
        listen("::1", 0)
    except OSError as error:
        if error.errno in NO_IPV6:
            return ["127.0.0.1"]
        raise
    return list(ADDRESSES)


def shown(address: str) -> str:
    """As in front of a port."""
    return f"[{address}]" if ":" in address else address


def main(arguments: list[str]) -> None:
    addresses = usable()
    taken: list[str] = []
    for argument in arguments:
        for address in addresses:
            try:
                listen(address, int(argument.partition("=")[2]))
            except OSError as error:
                taken.append(f"{argument} at {shown(address)} ({error.strerror})")
                break
            except (ValueError, OverflowError):
                taken.append(f"{argument} (not a port)")
                break
    if taken:
        sys.exit(", ".join(taken))
    print(*map(shown, addresses))


if __name__ == "__main__":
    main(sys.argv[1:])
