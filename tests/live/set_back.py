"""What gunicorn runs in place of a service's application: the same, with a clock that a file moves.

CLOCKED is the service; the file CLOCK holds the seconds that its recorder's clock is ahead.
"""

import os
from datetime import datetime, timedelta, tzinfo
from importlib import import_module
from pathlib import Path
from typing import Any

from statuslog import recorder

CLOCK = Path(os.environ["CLOCK"])


class Moved(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return datetime.now(tz) + timedelta(seconds=float(CLOCK.read_text()))


recorder.datetime = Moved  # type: ignore[attr-defined]
application = import_module(f"{os.environ['CLOCKED']}.wsgi").application
