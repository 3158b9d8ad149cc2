"""How the page says things to people: times, and the reasons of /readyz as sentences."""

from datetime import UTC, datetime

# Every reason that a service can name; what is missing here is shown as its name.
REASONS = {
    "storage_unreachable": "It does not reach storage, or storage is not ready: its records wait in its outbox.",
    "clock_ahead": "A record is dated far in the future: the clock was wrong. Run ./manage_all.sh clock.",
    "outbox_unusable": "It cannot read or write its outbox: if storage is down too, it can keep no record.",
    "vstorage_not_writable": "It cannot write vstorage: is the file there, writable, and its disk not full?",
    "vstorage_stale": "vstorage was replaced on the host: restart service1 and service2.",
    "vstorage_behind": "vstorage lacks records that the log has; they are written as soon as nothing waits any more.",
    "outbox_waiting": "A service has records in its outbox that vstorage lacks.",
    "vstorage_locked": "vstorage has been locked by another process for too long.",
    "vstorage_rewritten": "vstorage is being written anew, because the log's past has changed.",
    "migrations_pending": "Its database is older than its code: run ./manage_all.sh migrate.",
    "database_replaced": "The file of its database was removed or replaced: put it back, or restore a backup.",
    "database_unreachable": "It cannot read its database: look at its volume, or at the server of DATABASE_URL.",
    "disk_low": "Its disk is nearly full (MIN_FREE_BYTES): it takes no more records.",
}


def reason(name: str) -> str:
    return REASONS.get(name, f"{name.replace('_', ' ').capitalize()}.")


def joined(names: list[str]) -> str:
    """Such as "service1, service2 and storage"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def moment(time: datetime) -> str:
    """A time to the second, as in a record's line, but for the eye."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
