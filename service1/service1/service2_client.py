"""The one caller of service2."""

import json
from typing import Any

from statuslog.peer import Peer, PeerError, PeerTimeout, read
from statuslog.record import FORBIDDEN, Record, RecordError

LONGEST_ANSWER = 64 * 1024


class Service2Error(Exception):
    """service2 gave no record; `timed_out` tells a slow one from a missing one."""

    def __init__(self, reason: str, *, timed_out: bool = False) -> None:
        # It becomes a line of our answer, whatever the other side has sent.
        super().__init__(FORBIDDEN.sub("?", reason)[:200])
        self.timed_out = timed_out


class Service2Client:
    """service2 at `url`. Safe to use from many threads."""

    def __init__(self, url: str) -> None:
        self._peer = Peer(url)

    def status(self, timeout: float) -> Record:
        """A new record of service2; raises Service2Error."""
        return _record(*self._get("/status", timeout))

    def readiness(self, timeout: float) -> Any:
        """What service2 answers to /readyz, unread; raises Service2Error."""
        code, answer = self._get("/readyz", timeout)
        try:
            return json.loads(answer)
        except (ValueError, RecursionError):
            raise Service2Error(f"{code} with an answer that is not JSON") from None

    def _get(self, path: str, timeout: float) -> tuple[int, bytes]:
        try:
            with self._peer.request("GET", path, timeout=timeout, headers={"Accept": "application/json"}) as response:
                return response.status_code, read(response, LONGEST_ANSWER)
        except PeerTimeout as error:
            raise Service2Error(str(error), timed_out=True) from error
        except PeerError as error:
            raise Service2Error(str(error)) from error


def _record(code: int, answer: bytes) -> Record:
    try:
        data = json.loads(answer)
        if code == 200:
            (record,) = data["records"]
            return Record.from_json(record)
        reason = f"{code}: {data['detail']}"
    except RecordError as error:
        reason = f"its record is wrong: {error}"
    except (ValueError, KeyError, TypeError, RecursionError):
        reason = f"{code} with an answer that is not a status"
    raise Service2Error(reason)
