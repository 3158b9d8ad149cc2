"""Start one service: bring what it keeps up to date, then become gunicorn. serve.sh is who calls it.

Django and what goes with it are imported here, once: that is most of what a start costs. `prepare` and the workers are
forks of this process. What is the service's own is imported by each worker, as it may start threads.
"""

import os
import resource
import shutil
import sys
from multiprocessing import get_context
from pathlib import Path

from statuslog import counters, env, host
from statuslog.env import EnvError

MOST_FILES = 8192


def main(service: str) -> None:
    host.need_linux()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", f"{service}.settings")
    counters.remove_abandoned()
    folder = counters.make(service)  # gunicorn's master, which this process becomes, removes it
    if folder:
        env.tell("PROMETHEUS_MULTIPROC_DIR", folder)
    try:
        _import_packages()
        # A setting or a file that it cannot work with ends here with one line, before anything listens.
        prepare = get_context("fork").Process(target=_prepare, args=(service,))
        prepare.start()
        prepare.join()
        if prepare.exitcode:
            sys.exit(1)
    except BaseException as error:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, EnvError):
            sys.exit(f"{service}: {error}")
        raise
    # Whatever a service says is its output; a command's output is its result, and what it logs goes beside it.
    os.dup2(sys.stdout.fileno(), sys.stderr.fileno())
    sys.argv = ["gunicorn", "--config", str(Path(__file__).with_name("gunicorn_conf.py")), f"{service}.wsgi"]
    from gunicorn.app import wsgiapp

    wsgiapp.run()


def open_files() -> int:
    """How many files this process may have open: as many as it may allow itself, but no more than are of use."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


def _import_packages() -> None:
    """Raises EnvError, as the settings are among what is imported."""
    import django

    django.setup(set_prefix=False)
    import statuslog.peer
    import statuslog.rest  # noqa: F401


def _prepare(service: str) -> None:
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(["manage.py", "prepare"])
    except EnvError as error:
        sys.exit(f"{service}: {error}")


if __name__ == "__main__":
    main(sys.argv[1])
