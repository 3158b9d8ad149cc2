"""The recorder of a service, put together as the environment says."""

from django.conf import settings

from statuslog import env
from statuslog.delivery import Delivery
from statuslog.missed import Missed
from statuslog.outbox.store import Outbox
from statuslog.record import LineStyle
from statuslog.recorder import Recorder
from statuslog.storage_client import StorageClient
from statuslog.vstorage import Vstorage


def recorder_from_environment(service: str) -> tuple[Recorder, Delivery]:
    """The recorder of `service` and its background work, not yet started; raises EnvError."""
    timestamp = env.choice("RECORD_TIMESTAMP", "seconds", ("seconds", "milliseconds"))
    uptime = env.choice("RECORD_UPTIME", "host", ("host", "container"))
    outbox = Outbox(env.integer("OUTBOX_MAX_RECORDS", 100_000))
    recorder = Recorder(
        service,
        Vstorage(env.path("VSTORAGE_PATH", env.ROOT / "vstorage")),
        StorageClient(env.url("STORAGE_URL", "http://127.0.0.1:8202")),
        outbox,
        Missed(settings.DATA_DIR / "missed"),
        LineStyle(timestamp, uptime),  # type: ignore[arg-type]
    )
    return recorder, Delivery(recorder, outbox, settings.DATA_DIR / "delivery.lock")
