#!/usr/bin/env python
"""Django's command line for service1; works from any folder."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from statuslog import host
from statuslog.env import EnvError


def main() -> None:
    host.need_linux()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "service1.settings")
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except EnvError as error:
        sys.exit(f"service1: {error}")
    except KeyboardInterrupt:  # before a command of ours listens to signals itself
        sys.stderr.write("service1: stopped\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
