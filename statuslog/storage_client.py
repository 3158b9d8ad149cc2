"""The one caller of storage's API."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import requests

from statuslog import tracing, verdict
from statuslog.peer import Peer, PeerError, read, stream
from statuslog.record import Record, RecordError, show_timestamp
from statuslog.verdict import Verdict

LONGEST_ANSWER = 64 * 1024
LONGEST_PAGE = 16 * 2**20
ERROR_SHOWN = 200
NONE: Mapping[str, str] = {}


class StorageError(Exception):
    """storage did not take the records, or may not have; the text says why.

    `verdict` is storage's own, or None: there was no answer, or it was another program's.
    """

    def __init__(self, text: str, verdict: Verdict | None = None) -> None:
        super().__init__(text)
        self.verdict = verdict

    @property
    def is_about_the_request(self) -> bool:
        """storage works, and has said why it does not take just this."""
        return self.verdict in (Verdict.REFUSED, Verdict.EARLY, Verdict.LARGE, Verdict.FENCED)


class StorageClient:
    """storage at `url`. Safe to use from many threads. What another program answers there counts as no answer."""

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
            with self._ask("POST", "/log", timeout, headers, body) as (response, found):
                answer = read(response, LONGEST_ANSWER)
        except PeerError as error:
            raise StorageError(str(error)) from error
        if found != Verdict.STORED:
            raise StorageError(f"{response.status_code}: {_detail(answer)}", found)

    def records(self, since: datetime, limit: int, timeout: float) -> list[Record]:
        """Up to `limit` records of the log from `since` on, in the log's order. Raises StorageError."""
        query = f"format=ndjson&since={show_timestamp(since)}&limit={limit}"
        answer = self._get(f"/log?{query}", timeout, LONGEST_PAGE)
        try:
            return [Record.from_json(json.loads(line)) for line in answer.splitlines()]
        except (ValueError, RecordError) as error:
            raise StorageError(f"its log is not what it should be: {error}") from error

    def edition(self, timeout: float) -> int:
        """The log's edition: how many times its past was changed. Raises StorageError."""
        return self.edition_and_change(timeout)[0]

    def edition_and_change(self, timeout: float) -> tuple[int, str]:
        """The log's edition, and the name of the command that changes the log now, or nothing. Raises StorageError."""
        answer = self._get("/edition", timeout, LONGEST_ANSWER)
        try:
            found = json.loads(answer)
            return int(found["edition"]), str(found.get("changing", ""))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise StorageError(f"it does not say of which edition its log is: {_detail(answer)}") from error

    def overview(self, step: int, points: int, timeout: float) -> Any:
        """storage's readiness and the log in short, unread: the last `points` steps of `step` seconds.

        Raises StorageError.
        """
        answer = self._get(f"/overview?step={step}&points={points}", timeout, LONGEST_PAGE)
        try:
            return json.loads(answer)
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
        with self._ask(method, path, timeout, headers) as (response, _):
            yield response

    def is_ready(self, timeout: float) -> bool:
        """storage says that it is ready."""
        try:
            with self._ask("GET", "/readyz", timeout) as (response, _):
                return response.status_code == 200
        except PeerError:
            return False

    def _get(self, path: str, timeout: float, longest: int) -> bytes:
        """The body of the answer to GET, if its status is 200. Raises StorageError."""
        try:
            with self._ask("GET", path, timeout) as (response, _):
                answer = read(response, longest)
        except PeerError as error:
            raise StorageError(str(error)) from error
        if response.status_code != 200:
            raise StorageError(f"{response.status_code}: {_detail(answer)}")
        return answer

    @contextmanager
    def _ask(
        self,
        method: str,
        path: str,
        timeout: float,
        headers: Mapping[str, str] = NONE,
        body: bytes | None = None,
    ) -> Iterator[tuple[requests.Response, Verdict]]:
        """storage's own answer, its body not yet read, and its verdict. Raises PeerError, also for another's answer."""
        challenge = verdict.challenge()
        headers = {**headers, verdict.CHALLENGE: challenge}
        with self._peer.request(method, path, timeout=timeout, headers=headers, body=body) as response:
            found = verdict.read(response.headers.get(verdict.VERDICT), challenge)
            if found is None:
                raise PeerError(f"{response.status_code} from a program at its address that is not storage")
            yield response, found


def _detail(answer: bytes) -> str:
    """The reason in storage's error answer, or its beginning."""
    try:
        return str(json.loads(answer)["detail"])[:ERROR_SHOWN]
    except (ValueError, KeyError, TypeError, RecursionError):
        return repr(answer[:ERROR_SHOWN])
