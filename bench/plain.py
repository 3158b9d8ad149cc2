"""The same three services, done the plain way: record by record, with `requests.Session`.

gunicorn runs `bench.plain:service("storage")` and so on. Two things are replaced before anything of the service is
imported; all else is what it is in the real one: the lock, the outbox, SQLite's settings.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from statuslog import batching, peer


def one_by_one(self: batching.Batcher[Any, Any, Any], item: Any) -> Any:
    """Instead of `Batcher.__call__`: each call is a batch of its own."""
    with self._enter() as held:
        (outcome,) = self._work([item], held)
    if isinstance(outcome, Exception):
        raise outcome
    return self._then([item], [outcome])[0] if self._then else outcome


class SessionPeer(peer.Peer):
    """Instead of the Peer, whose prepared requests go right to the transport."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._session = requests.Session()
        self._session.mount("http://", HTTPAdapter(pool_maxsize=peer.CONNECTIONS))

    @contextmanager
    def request(
        self,
        method: str,
        path: str,
        *,
        timeout: float,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[requests.Response]:
        try:
            with self._session.request(
                method, self.url + path, data=body, headers=headers, timeout=timeout, stream=True
            ) as response:
                yield response
        except (requests.RequestException, HTTPError) as error:
            raise peer.PeerError(str(error)) from error


def service(name: str) -> Any:
    """The WSGI application of the service, with the two replaced."""
    batching.Batcher.__call__ = one_by_one  # type: ignore[method-assign]
    peer.Peer = SessionPeer  # type: ignore[misc]
    return import_module(f"{name}.wsgi").application
