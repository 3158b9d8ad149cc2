"""How an event is logged: as one line of JSON for programs, or as text for people, each in one write.

Nothing that comes from outside can end a line, begin another or change how one is shown: what is not printable ASCII is
escaped.
"""

import json
import logging
import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import Any

from statuslog import tracing
from statuslog.tracing import Trace

# With its end of line: what a pipe takes from several processes without mixing it (PIPE_BUF).
LONGEST = 4095
CUT = " ... "
_BETWEEN = '", "'


class JSONLine(logging.Formatter):
    """An event as one JSON object on one line."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service
        self._second = 0, ""  # and its time as text

    def format(self, record: logging.LogRecord) -> str:
        event = self._event(record)
        line = json.dumps(event)
        while len(line) > LONGEST:
            _shorten(event, len(line) - LONGEST)
            line = json.dumps(event)
        return line

    def of_request(self, trace: Trace, route: str, method: str, status: int, milliseconds: float) -> str:
        """The event of a request (middleware.py) as `format` would write it, at a third of the cost: there is one for
        each request. All texts in it are known, or have been looked at (tracing.py)."""
        now = time.time()
        known = self._second
        if known[0] != int(now):
            known = self._second = int(now), datetime.fromtimestamp(int(now), UTC).isoformat()[:-6]
        parent = f', "parent_id": "{trace.parent_id}"' if trace.parent_id else ""
        batch = f', "batch": ["{_BETWEEN.join(trace.batch)}"]' if trace.batch else ""
        route = _as_json(route)
        return (
            f'{{"time": "{known[1]}.{int(now % 1 * 1e6):06}Z", "service": "{self._service}", "level": "info", '
            f'"logger": "statuslog.middleware", "message": "{method} {route} {status}", '
            f'"request_id": "{trace.request_id}", "trace_id": "{trace.trace_id}", "span_id": "{trace.span_id}", '
            f'"route": "{route}", "method": "{method}", "status": {status}, '
            f'"duration_ms": {milliseconds}{parent}{batch}}}'
        )

    def _event(self, record: logging.LogRecord) -> dict[str, Any]:
        event: dict[str, Any] = {
            "time": _time(record),
            "service": self._service,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if trace := tracing.current():
            event["request_id"] = trace.request_id
            event["trace_id"] = trace.trace_id
            event["span_id"] = trace.span_id
        event.update(getattr(record, "fields", ()))
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return event


class TextLine(JSONLine):
    """The same for people: what happened, its fields, and an exception on lines of its own, which are indented."""

    def format(self, record: logging.LogRecord) -> str:
        return as_text(self._event(record))


def as_text(event: dict[str, Any]) -> str:
    """An event as it is shown to people."""
    known = [str(event.pop(name, "-")) for name in ("time", "level", "service", "logger", "message")]
    exception = str(event.pop("exception", ""))
    known[1] = known[1].upper()
    fields = [f"{name}={','.join(value) if isinstance(value, list) else value}" for name, value in event.items()]
    lines = [" ".join([*known[:4], "|", known[4], *fields])]
    lines += [f"    {line}" for line in exception.split("\n") if line]
    return "\n".join(_escaped(line) for line in lines)


class Output(logging.Handler):
    """Writes each event to standard error, which serve.py makes the standard output of a service."""

    def __init__(self) -> None:
        super().__init__()
        # https://docs.python.org/3/howto/logging.html#optimization: nobody here asks for these, and looking
        # through the stack costs more than all the rest.
        logging._srcfile = None
        logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
        logging.logAsyncioTasks = False  # type: ignore[attr-defined] # Python 3.12

    def emit(self, record: logging.LogRecord) -> None:
        try:
            write(self.format(record))
        except Exception:
            self.handleError(record)


@cache
def only_form() -> JSONLine | None:
    """The form of all events of this process, if that is JSON and nobody else is told of them."""
    form = handlers[0].formatter if len(handlers := logging.getLogger().handlers) == 1 else None
    return form if type(form) is JSONLine else None


def write(line: str) -> None:
    """An event that cannot be written, say as the disk is full, is lost: it must not cost a request its answer."""
    with suppress(OSError):
        os.write(2, f"{line}\n".encode())


@cache
def _as_json(route: str) -> str:
    """A route as it stands in a JSON text; there are only so many."""
    return json.dumps(route)[1:-1]


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def _escaped(text: str) -> str:
    return text.encode("unicode_escape").decode()


def _shorten(event: dict[str, Any], excess: int) -> None:
    """Take out of the middle of the longest text so much that it may be enough."""
    name = max((name for name, value in event.items() if isinstance(value, str)), key=lambda name: len(event[name]))
    text = event[name]
    keep = max(len(text) - excess - len(CUT), len(text) // 2) // 2
    event[name] = text[:keep] + CUT + text[-keep:]
