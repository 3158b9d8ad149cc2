"""What the container vstorage-init runs, as root and once: let the services' user write to the file.

The file keeps its owner and gets the services' group. Where not even root may change the group (user namespaces, NFS,
vfat), it is enough that the services' user can write. It must import nothing but Python's own: its image has no more.
"""

import os
import stat
import sys
from pathlib import Path

USER = GROUP = 10001  # of the images (service1/Dockerfile)


def main(file: Path) -> None:
    """Exit with a line that names the fix if the services could not write."""
    if file.is_dir():
        sys.exit("vstorage is a folder, and must be a file: rmdir vstorage && touch vstorage")
    refused = _share(file)
    try:
        _try_as_user(file)
    except OSError as error:
        because = f", and its group cannot be changed ({refused})" if refused else ""
        sys.exit(
            f"the services' user {USER} cannot write to vstorage ({error.strerror}){because}. On the host:"
            " chmod a+rw vstorage; or mount its file system so that this user can write (vfat: umask=000)"
        )
    if refused:
        print(f"the group of vstorage cannot be changed ({refused}), but user {USER} can write to it as it is")


def _share(file: Path) -> str:
    """Give the file the services' group, which may then read and write; what went wrong, else nothing."""
    try:
        os.chown(file, -1, GROUP)
        file.chmod(stat.S_IMODE(file.stat().st_mode) | 0o060)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _try_as_user(file: Path) -> None:
    """Open the file as the services do, which no file mode can tell on every file system. Raises OSError."""
    os.setgroups([])
    os.setgid(GROUP)
    os.setuid(USER)
    with file.open("r+b"):
        pass


if __name__ == "__main__":
    main(Path(sys.argv[1]))
