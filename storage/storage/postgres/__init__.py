"""How storage uses PostgreSQL, where DATABASE_URL names one: the settings of its connections.

With `base.py` beside it this is a Django database engine: docs/adr/0012-postgresql.md.
"""

from typing import Any

import dj_database_url

from statuslog import env
from statuslog.env import EnvError

WANTED = "set it to an address such as postgres://user:password@host:5432/name, with %40 for an @ in a password"
NEVER_SHOWN = "…"  # the address may have a password in it

SESSION = {
    # What was acknowledged must survive a crash of the server: a role or server that is set to less does not matter.
    "synchronous_commit": "on",
    # For the turn to write, and for a migration's locks; who answers a client waits less, see `transaction_timeout`.
    "lock_timeout": "20s",
    # A client that hangs in a transaction, or whose host is gone, must not keep the turn for good.
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
CONNECTION = {
    "application_name": "statuslog",
    "connect_timeout": 2,  # seconds; the least that libpq knows
    # A server that vanishes without a word is noticed within half a minute, and an unanswered statement in ten seconds.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
# Of each worker process, since a thread for each client would need more connections than a server has (100 by
# default, for all replicas). Who finds none free for a second is told to come again. A server that is away is asked
# again by each who comes, and not after pauses that grow.
POOL = {"min_size": 1, "max_size": 20, "timeout": 1.0, "reconnect_timeout": 0.0}
STATEMENT_TIMEOUT = "20s"


def database() -> dict[str, Any]:
    """The entry of Django's DATABASES for DATABASE_URL, its password of DATABASE_PASSWORD_FILE; raises EnvError."""
    url = env.text("DATABASE_URL")
    if not url.startswith(("postgres://", "postgresql://")):
        raise EnvError("DATABASE_URL", NEVER_SHOWN, WANTED)
    try:
        settings: dict[str, Any] = dict(dj_database_url.parse(url))
    except ValueError:
        raise EnvError("DATABASE_URL", NEVER_SHOWN, WANTED) from None
    if not settings["NAME"]:
        raise EnvError("DATABASE_URL", NEVER_SHOWN, WANTED)
    own = settings.get("OPTIONS", {})
    options = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
    return {
        **settings,
        "ENGINE": "storage.postgres",
        "PASSWORD": env.content("DATABASE_PASSWORD_FILE") or settings["PASSWORD"],
        # What the address says wins, as its last word.
        "OPTIONS": {**CONNECTION, **own, "options": f"{options} {own.get('options', '')}".rstrip()},
    }


def serve(settings: dict[str, Any]) -> None:
    """Change `settings`, if they are ours, to those of a process that answers requests: many threads share a few
    connections, and no statement takes for ever. A command has one connection, and the time that it needs."""
    if settings["ENGINE"] == "storage.postgres":
        options = settings["OPTIONS"]
        options["pool"] = POOL
        options["options"] = f"-c statement_timeout={STATEMENT_TIMEOUT} {options['options']}"
