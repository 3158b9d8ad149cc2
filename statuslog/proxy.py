"""Behind a reverse proxy: the sub-path that it serves us under, and what it says of the client.

`X-Forwarded-For`, `-Proto` and `-Host` are believed when the connection comes from an address of TRUSTED_PROXIES, and
from nobody else. Without SCRIPT_NAME and TRUSTED_PROXIES nothing of this is in a request's way.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Protocol

from statuslog import env
from statuslog.env import EnvError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

HSTS_SECONDS = 365 * 24 * 3600  # how long a browser then insists on TLS for this host name
# The services call each other, and are asked for their health, without the prefix: it must be none of their own paths.
_OWN_PATHS = {
    "status",
    "log",
    "overview",
    "edition",
    "healthz",
    "readyz",
    "metrics",
    "schema",
    "docs",
    "page",
    "static",
    "admin",
}
_PREFIX = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")


class Application(Protocol):
    def __call__(self, environ: dict[str, Any], start_response: Any, /) -> Iterable[bytes]: ...


def prefix() -> str:
    """SCRIPT_NAME, such as `/statuslog`; "" when we are at the root of our host name. Raises EnvError."""
    value = env.text("SCRIPT_NAME").rstrip("/")
    if value and not _PREFIX.fullmatch(value):
        raise EnvError("SCRIPT_NAME", value, "set it to a path such as /statuslog")
    if value.partition("/")[2].partition("/")[0] in _OWN_PATHS:
        raise EnvError(
            "SCRIPT_NAME", value, "this system has a path of that name itself; set another, such as /statuslog"
        )
    return value


def trusted() -> tuple[Network, ...]:
    """The networks of TRUSTED_PROXIES. Raises EnvError."""
    found: list[Network] = []
    for item in env.csv("TRUSTED_PROXIES"):
        try:
            found.append(ip_network(item))
        except ValueError as error:
            wanted = f"{error}; set it to addresses or networks such as 127.0.0.1,10.0.0.0/8"
            raise EnvError("TRUSTED_PROXIES", item, wanted) from error
    return tuple(found)


def https() -> bool:
    """Whether clients come by HTTPS alone: it is the proxy that speaks TLS, and that says so. Raises EnvError."""
    if not env.flag("HTTPS"):
        return False
    if not trusted():
        raise EnvError("HTTPS", "1", "set TRUSTED_PROXIES too: without a proxy that is believed no request is secure")
    return True


class Behind:
    """The application as the proxy's clients see it. Takes requests with the prefix and without."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._prefix = prefix()
        self._trusted = trusted()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if self._trusted and self._trusts(_address(environ.get("REMOTE_ADDR", ""))):
            self._believe(environ)
        path = environ.get("PATH_INFO", "")
        if self._prefix and path == self._prefix:
            # Pages name their parts by relative addresses, which count from the slash.
            start_response("308 Permanent Redirect", [("Location", f"{path}/"), ("Content-Length", "0")])
            return []
        if self._prefix and path.startswith(f"{self._prefix}/"):
            environ["PATH_INFO"] = path.removeprefix(self._prefix)
        return self._application(environ, start_response)

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted)

    def _believe(self, environ: dict[str, Any]) -> None:
        """Only the last of several values is this proxy's own word; the others are what it was told."""
        if client := self._client(environ.get("HTTP_X_FORWARDED_FOR", "")):
            environ["REMOTE_ADDR"] = client
        if (scheme := _last(environ.get("HTTP_X_FORWARDED_PROTO", ""))) in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme
        if host := _last(environ.get("HTTP_X_FORWARDED_HOST", "")):
            environ["HTTP_HOST"] = host  # which Django holds against ALLOWED_HOSTS

    def _client(self, forwarded: str) -> str:
        """From the end, as each proxy adds whom it has seen: the first address that is not a trusted proxy's."""
        found = ""
        for item in reversed(forwarded.split(",")):
            address = _address(item.strip())
            if address is None:
                break
            found = str(address)
            if not self._trusts(address):
                break
        return found


def behind(application: Application) -> Application:
    """The application, behind what SCRIPT_NAME and TRUSTED_PROXIES say; itself when neither is set. Raises EnvError."""
    return Behind(application) if prefix() or trusted() else application


def _last(values: str) -> str:
    return values.rpartition(",")[2].strip()


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A socket for both families shows an IPv4 client so.
    return getattr(address, "ipv4_mapped", None) or address
