"""The one caller of service2."""

import json
from typing import Any

from statuslog import tracing
from statuslog.peer import Peer, PeerError, PeerTimeout, read
from statuslog.record import FORBIDDEN, Record, RecordError

LONGEST_ANSWER = 64 * 1024
LONGEST_RECORD = 8 * 1024  # its line has 4,096 characters at most


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

    def records(self, count: int, timeout: float) -> list[Record]:
        """`count` new records of service2, or fewer, but one at least; raises Service2Error."""
        path = "/status" if count == 1 else f"/status?count={count}"
        return _records(*self._get(path, timeout, max(LONGEST_ANSWER, count * LONGEST_RECORD)), count)

    def readiness(self, timeout: float) -> Any:
        """What service2 answers to /readyz, unread; raises Service2Error."""
        code, answer = self._get("/readyz", timeout)
        try:
            return json.loads(answer)
        except (ValueError, RecursionError):
            raise Service2Error(f"{code} with an answer that is not JSON") from None

    def _get(self, path: str, timeout: float, longest: int = LONGEST_ANSWER) -> tuple[int, bytes]:
        headers = {"Accept": "application/json", **tracing.batch_header()}
        try:
            with self._peer.request("GET", path, timeout=timeout, headers=headers) as response:
                return response.status_code, read(response, longest)
        except PeerTimeout as error:
            raise Service2Error(str(error), timed_out=True) from error
        except PeerError as error:
            raise Service2Error(str(error)) from error


def _records(code: int, answer: bytes, count: int) -> list[Record]:
    """The different records of an answer, 1 to `count`; raises Service2Error."""
    try:
        data = json.loads(answer)
        if code == 200:
            found = [Record.from_json(item) for item in data["records"]]
            if not 1 <= len(found) <= count:
                raise ValueError
            return list({record.id: record for record in found}.values())
        reason = f"{code}: {data['detail']}"
    except RecordError as error:
        reason = f"its record is wrong: {error}"
    except (ValueError, KeyError, TypeError, RecursionError):
        reason = f"{code} with an answer that is not a status"
    raise Service2Error(reason)
