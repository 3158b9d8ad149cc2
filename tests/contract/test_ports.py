"""Two ports of storage: one serves the API and never the admin, the other the admin and never the API."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.client import all_of, exchange, get, post
from tests.processes import Services

pytestmark = pytest.mark.live

API = ["/log", "/overview", "/healthz", "/readyz"]
ADMIN = ["/admin/", "/admin/login/", "/admin/logs/logrecord/"]


@pytest.mark.parametrize("path", API)
def test_the_api_is_on_the_api_s_port_only(services: Services, path: str):
    assert get(f"{services.storage}{path}").status_code == 200
    assert get(f"{services.admin}{path}").status_code == 404


@pytest.mark.parametrize("path", ADMIN)
def test_the_admin_is_on_the_admin_s_port_only(services: Services, path: str):
    assert get(f"{services.admin}{path}").status_code in (200, 302)
    assert get(f"{services.storage}{path}").status_code == 404


@pytest.mark.parametrize("name", ["service1", "service2"])
@pytest.mark.parametrize("path", ADMIN)
def test_the_other_services_have_no_admin(services: Services, name: str, path: str):
    assert get(f"{getattr(services, name)}{path}").status_code == 404


def test_a_post_to_the_admin_s_port_stores_nothing(services: Services):
    assert post(f"{services.admin}/log", b"a").status_code in (403, 404)
    assert get(f"{services.storage}/log").content == b""


TRICKS = [
    "Host: 127.0.0.1:{port}",
    "X-Forwarded-Host: 127.0.0.1:{port}",
    "X-Forwarded-Port: {port}",
    "X-Forwarded-Server: 127.0.0.1:{port}",
    "X-Forwarded-Prefix: /admin",
    "X-Forwarded-Proto: https",
    "X-Original-URL: /admin/",
    "X-Rewrite-URL: /admin/",
    "X-Script-Name: /admin",
    "SCRIPT_NAME: /admin",
    "PATH_INFO: /admin/",
    "Server-Port: {port}",
    "SERVER_PORT: {port}",
    "Forwarded: host=127.0.0.1:{port};proto=https",
    "Via: 1.1 127.0.0.1:{port}",
]


def status(port: int, target: str, header: str) -> bytes:
    host = "" if header.startswith("Host") else "Host: localhost\r\n"
    answer = exchange(port, f"GET {target} HTTP/1.1\r\n{host}{header}\r\nConnection: close\r\n\r\n".encode())
    return answer.split(b" ")[1]


@pytest.mark.parametrize("trick", TRICKS)
def test_no_header_opens_the_admin_on_the_api_s_port(services: Services, trick: str):
    header = trick.format(port=services.ports["admin"])
    assert status(services.ports["storage"], "/admin/login/", header) == b"404"


@pytest.mark.parametrize("trick", TRICKS)
def test_no_header_opens_the_api_on_the_admin_s_port(services: Services, trick: str):
    header = trick.format(port=services.ports["storage"])
    assert status(services.ports["admin"], "/log", header) == b"404"


def test_a_whole_address_as_the_path_opens_nothing(services: Services):
    target = f"http://127.0.0.1:{services.ports['admin']}/admin/login/"
    assert status(services.ports["storage"], target, "X: y") == b"404"


def test_a_foreign_host_name_does_not_reach_the_admin(services: Services):
    assert status(services.ports["admin"], "/admin/login/", "Host: rebound.example") == b"400"


@pytest.fixture(scope="module")
def sockets(static_root: Path) -> Iterator[Services]:
    """service1 and storage, each at a Unix socket, too."""
    with tempfile.TemporaryDirectory() as folder:  # its path is short, as that of such a socket must be
        services = Services(Path(folder), STATIC_ROOT=str(static_root))
        for name in ("storage", "service1"):
            services.settings["BIND"] = f"127.0.0.1:{services.ports[name]},unix:{folder}/{name}.sock"
            services.start(name, until="/healthz")
        yield services
        services.stop()


def status_at_socket(services: Services, name: str, target: str, host: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(services.vstorage.with_name(f"{name}.sock")))
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return all_of(connection).split(b" ")[1]


@pytest.mark.parametrize("host", ["localhost:{port}", "localhost:{port}:{port}", "[::1]:{port}", "localhost"])
def test_a_unix_socket_serves_what_is_public_whatever_the_host_header_says(sockets: Services, host: str):
    for name, secret in (("storage", "admin"), ("service1", "metrics")):
        said = host.format(port=sockets.ports[secret])
        valid = said.count(":") != 2
        found = [status_at_socket(sockets, name, path, said) for path in ("/healthz", "/admin/login/", "/metrics")]
        assert found == ([b"200", b"404", b"200" if name == "storage" else b"404"] if valid else [b"400"] * 3)
