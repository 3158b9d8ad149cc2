"""gunicorn's settings, the same for the three services; what differs comes from the environment.

https://docs.gunicorn.org/en/stable/settings.html
"""

from logging import captureWarnings
from logging.config import dictConfig
from pathlib import Path
from typing import Any

from gunicorn import glogging

from statuslog import counters, defaults, env, metrics, serve

bind = env.csv("BIND")

# Threads, so that a slow peer costs a thread and not the service; they are made when needed. A slow client costs none.
# One process is enough for what one SQLite file and one vstorage can take.
worker_class = "statuslog.worker.Worker"
workers = env.integer("WEB_CONCURRENCY", 1, minimum=1)
threads = env.integer("GUNICORN_THREADS", 100, minimum=1)

# A connection has a file descriptor, and a second one while it reads the log through service1. As many are left for the
# threads' own: the databases, vstorage, the other services.
worker_connections = max(8, min(2000, serve.open_files() // 2))

# Longer than a peer's pause between two requests, so that the services' kept connections stay usable.
keepalive = 75
timeout = 30
# A request takes 3 s at most; a long GET /log has this long to end after SIGTERM.
graceful_timeout = 8

# The heartbeat file, in memory: a full or slow disk must not look like a hung worker.
if counters.has_room():
    worker_tmp_dir = counters.MEMORY

# gunicorn would believe headers of a proxy (the scheme, SCRIPT_NAME) from 127.0.0.1, where every client may be. Whom to
# believe is TRUSTED_PROXIES (proxy.py).
forwarded_allow_ips = ""

# The longest that gunicorn allows: a query of GET /log in a script of several bytes a character, percent-encoded.
limit_request_line = 8190


class Logger(glogging.Logger):
    """gunicorn's events in the form of all others. Requests are the middleware's: gunicorn's own line stays off."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        dictConfig(LOGGING)
        captureWarnings(True)


SERVICE = Path.cwd().name  # serve.sh starts each in its folder
LOGGING = defaults.logging(SERVICE)
logger_class = Logger
# Nobody asks this system for it, and the containers' root is read-only.
control_socket_disable = True


collector = env.text("OTEL_EXPORTER_OTLP_ENDPOINT")
if collector:
    try:
        from statuslog import otel
    except ImportError as error:
        remedy = f"install requirements-otel.txt ({error}), or leave it empty: docs/operations/tracing.md"
        raise env.EnvError("OTEL_EXPORTER_OTLP_ENDPOINT", collector, remedy) from error


def pre_fork(server: Any, worker: Any) -> None:
    worker.number = metrics.take_number({other.number for other in server.WORKERS.values()})


def post_worker_init(worker: Any) -> None:
    # The settings have read it by now. gunicorn itself would refuse what comes without it: the services' own requests,
    # and health checks.
    env.forget("SCRIPT_NAME")
    if collector:
        from statuslog import middleware

        worker.export = otel.Export(SERVICE)
        worker.export.start(middleware.observers)


def worker_exit(server: Any, worker: Any) -> None:
    if hasattr(worker, "export"):
        worker.export.stop()


def child_exit(server: Any, worker: Any) -> None:
    metrics.has_ended(worker.number)


def on_exit(server: Any) -> None:
    metrics.remove()
