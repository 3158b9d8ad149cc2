"""The one caller of storage's API."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import requests

from statuslog import tracing
from statuslog.peer import Peer, PeerError, read, stream
from statuslog.record import Record, RecordError, show_timestamp

LONGEST_ANSWER = 64 * 1024
LONGEST_PAGE = 16 * 2**20
ERROR_SHOWN = 200


class StorageError(Exception):
    """storage did not take the records, or may not have; the text says why.

    `refused`: it has looked at them, and would refuse them again.
    """

    def __init__(self, text: str, *, refused: bool = False) -> None:
        super().__init__(text)
        self.refused = refused


class StorageClient:
    """storage at `url`. Safe to use from many threads."""

    def __init__(self, url: str) -> None:
        self._peer = Peer(url)

    def store(self, records: Sequence[Record], timeout: float, fence: datetime | None = None) -> None:
        """Store the records in one request; returns when storage has committed them. Raises StorageError.

        Harmless to repeat: storage knows a record by its id. With `fence` it is refused if a later fence was set.
        """
        self._post([record.to_json() for record in records], timeout, fence)

    def set_fence(self, fence: datetime, timeout: float) -> None:
        """From now on storage refuses what comes with an earlier fence. Raises StorageError."""
        self._post([], timeout, fence)

    def _post(self, records: Sequence[Mapping[str, object]], timeout: float, fence: datetime | None) -> None:
        headers = {"Content-Type": "application/json", "Accept": "application/json", **tracing.batch_header()}
        if fence is not None:
            headers["Log-Fence"] = show_timestamp(fence)
        body = json.dumps(records).encode()
        try:
            with self._peer.request("POST", "/log", timeout=timeout, body=body, headers=headers) as response:
                answer = read(response, LONGEST_ANSWER)
                status = response.status_code
        except PeerError as error:
            raise StorageError(str(error)) from error
        if status not in (200, 201):
            # Without the right token (401, 403) it has not looked at them.
            refused = 400 <= status < 500 and status not in (401, 403)
            raise StorageError(f"{status}: {_detail(answer)}", refused=refused)

    def records(self, since: datetime, limit: int, timeout: float) -> list[Record]:
        """Up to `limit` records of the log from `since` on, in the log's order. Raises StorageError."""
        query = f"format=ndjson&since={show_timestamp(since)}&limit={limit}"
        try:
            with self.log("GET", query, {}, timeout) as response:
                answer = read(response, LONGEST_PAGE)
                if response.status_code != 200:
                    raise StorageError(f"{response.status_code}: {_detail(answer)}")
            return [Record.from_json(json.loads(line)) for line in answer.splitlines()]
        except PeerError as error:
            raise StorageError(str(error)) from error
        except (ValueError, RecordError) as error:
            raise StorageError(f"its log is not what it should be: {error}") from error

    def edition(self, timeout: float) -> int:
        """The log's edition: how many times its past was changed. Raises StorageError."""
        answer = b""
        try:
            with self._peer.request("GET", "/edition", timeout=timeout) as response:
                answer = read(response, LONGEST_ANSWER)
            return int(json.loads(answer)["edition"])
        except PeerError as error:
            raise StorageError(str(error)) from error
        except (ValueError, LookupError, TypeError) as error:
            raise StorageError(f"it does not say of which edition its log is: {_detail(answer)}") from error

    def overview(self, step: int, points: int, timeout: float) -> Any:
        """storage's readiness and the log in short, unread: the last `points` steps of `step` seconds.

        Raises StorageError.
        """
        answer = b""
        try:
            with self._peer.request("GET", f"/overview?step={step}&points={points}", timeout=timeout) as response:
                answer = read(response, LONGEST_PAGE)
                if response.status_code != 200:
                    raise StorageError(f"{response.status_code}: {_detail(answer)}")
            return json.loads(answer)
        except PeerError as error:
            raise StorageError(str(error)) from error
        except ValueError as error:
            raise StorageError(f"it does not say how the log is: {_detail(answer)}") from error

    def text(self, until: datetime, timeout: float) -> Iterator[bytes]:
        """The log's text before `until`, as it comes, each part within `timeout` seconds. Raises StorageError."""
        query = f"until={show_timestamp(until)}"
        try:
            with self.log("GET", query, {"Accept-Encoding": "identity"}, timeout) as response:
                if response.status_code != 200:
                    raise StorageError(f"{response.status_code}: {_detail(read(response, LONGEST_ANSWER))}")
                yield from stream(response, timeout)
        except PeerError as error:
            raise StorageError(str(error)) from error

    @contextmanager
    def log(self, method: str, query: str, headers: Mapping[str, str], timeout: float) -> Iterator[requests.Response]:
        """storage's answer to GET or HEAD `/log?query`, its body not yet read. Raises PeerError."""
        path = f"/log?{query}" if query else "/log"
        with self._peer.request(method, path, timeout=timeout, headers=headers) as response:
            yield response

    def is_ready(self, timeout: float) -> bool:
        try:
            with self._peer.request("GET", "/readyz", timeout=timeout) as response:
                return response.status_code == 200
        except PeerError:
            return False


def _detail(answer: bytes) -> str:
    """The reason in storage's error answer, or its beginning."""
    try:
        return str(json.loads(answer)["detail"])[:ERROR_SHOWN]
    except (ValueError, KeyError, TypeError, RecursionError):
        return repr(answer[:ERROR_SHOWN])
