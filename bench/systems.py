"""The three systems that are compared, and what the kernel says of their processes."""

import os
from pathlib import Path

from tests.processes import ROOT, Services

GUNICORN = ["gunicorn", "--config", str(ROOT / "statuslog" / "gunicorn_conf.py")]
TICKS = os.sysconf("SC_CLK_TCK")


class System(Services):
    """One of them: *ours* is started as it always is, by statuslog/serve.sh."""

    def workers(self, name: str) -> list[int]:
        """The processes of the service but gunicorn's first, which only looks after the others."""
        return [pid for pid in self._pids(name) if pid != self.pid(name)]

    def cpu(self, name: str) -> float:
        """Seconds of CPU that the processes of the service have used."""
        return sum(sum(map(int, _stat(pid)[11:13])) for pid in self._pids(name)) / TICKS

    def rss(self, name: str) -> dict[int, float]:
        """MiB of memory that each worker of the service has."""
        return {pid: _resident_kib(pid) / 1024 for pid in self.workers(name)}

    def _pids(self, name: str) -> list[int]:
        """Each service is started in a session of its own."""
        pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return sorted(pid for pid in pids if _stat(pid)[3:4] == [str(self.pid(name))])


def bare_gunicorn(name: str) -> dict[str, str]:
    """What serve.py would see to: our worker needs the settings for the form of its errors."""
    return {"PYTHONPATH": f"{ROOT}:{ROOT / name}", "DJANGO_SETTINGS_MODULE": f"{name}.settings"}


class Plain(System):
    def command(self, name: str) -> list[str]:
        manage = ROOT / name / "manage.py"
        start = 'python "$0" prepare && exec "$@"'
        return ["sh", "-c", start, str(manage), *GUNICORN, f'bench.plain:service("{name}")']

    def environment(self, name: str) -> dict[str, str]:
        # `requests.Session` would send even this through a proxy of the environment.
        return super().environment(name) | bare_gunicorn(name) | {"NO_PROXY": "127.0.0.1"}


class Floor(System):
    def command(self, name: str) -> list[str]:
        return [*GUNICORN, f"bench.floor:{name}"]

    def environment(self, name: str) -> dict[str, str]:
        return super().environment(name) | bare_gunicorn(name)


SYSTEMS = {"ours": System, "plain": Plain, "floor": Floor}


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; see man 5 proc."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []  # it has ended meanwhile


def _resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
