"""What a proxy is believed, and what the sub-path does to a request."""

import re
from importlib import import_module
from typing import Any

import pytest

from statuslog import proxy
from statuslog.env import EnvError


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch):
    """What the application sees of a request that came with these headers from `peer`."""

    def seen(peer: str = "10.0.0.1", path: str = "/log", **headers: str) -> dict[str, Any]:
        environ: dict[str, Any] = {
            **{"REMOTE_ADDR": peer, "PATH_INFO": path, "HTTP_HOST": "host", "wsgi.url_scheme": "http"},
            **{f"HTTP_X_FORWARDED_{name}": value for name, value in headers.items()},
        }
        inner: dict[str, Any] = {}
        heard: list[Any] = []

        def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            inner.update(environ)
            return []

        proxy.behind(application)(environ, lambda *answer: heard.extend(answer))
        return inner or {"answer": heard}

    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.1, 192.168.0.0/16, fd00::/8")
    return seen


FORGED = {"FOR": "1.2.3.4", "PROTO": "https", "HOST": "evil.example"}


def test_a_trusted_proxy_is_believed(seen):
    for peer in ("10.0.0.1", "192.168.7.7", "fd00::1", "::ffff:10.0.0.1"):
        found = seen(peer, FOR="1.2.3.4", PROTO="https", HOST="status.example.org")
        assert found["REMOTE_ADDR"] == "1.2.3.4"
        assert found["wsgi.url_scheme"] == "https"
        assert found["HTTP_HOST"] == "status.example.org"


@pytest.mark.parametrize("peer", ["10.0.0.2", "127.0.0.1", "::1", "", "unix", "1.2.3.4"])
def test_nobody_else_is(seen, peer: str):
    found = seen(peer, **FORGED)
    assert (found["REMOTE_ADDR"], found["wsgi.url_scheme"], found["HTTP_HOST"]) == (peer, "http", "host")


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("9.9.9.9, 1.2.3.4", "1.2.3.4"),  # the first one is what the client has said of itself
        ("9.9.9.9, 1.2.3.4, 192.168.0.9", "1.2.3.4"),
        ("192.168.0.8, 192.168.0.9", "192.168.0.8"),
        ("rubbish, 192.168.0.9", "192.168.0.9"),
        ("1.2.3.4, rubbish", "10.0.0.1"),
        ("", "10.0.0.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("1.2.3.4\r\nx", "10.0.0.1"),
    ],
)
def test_the_client_is_the_last_that_is_no_proxy(seen, forwarded: str, client: str):
    assert seen(FOR=forwarded)["REMOTE_ADDR"] == client


@pytest.mark.parametrize(
    ("said", "scheme"), [("https", "https"), ("http, https", "https"), ("ftp", "http"), ("", "http")]
)
def test_the_scheme(seen, said: str, scheme: str):
    assert seen(PROTO=said)["wsgi.url_scheme"] == scheme


def test_without_settings_nothing_is_in_the_way(monkeypatch: pytest.MonkeyPatch):
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        return []

    assert proxy.behind(application) is application


@pytest.mark.parametrize(
    ("path", "inner"),
    [
        ("/statuslog/log", "/log"),
        ("/statuslog/", "/"),
        ("/log", "/log"),
        ("/statuslog/statuslog/log", "/statuslog/log"),
        ("/statuslogs", "/statuslogs"),
    ],
)
def test_the_sub_path_is_taken_off(seen, monkeypatch: pytest.MonkeyPatch, path: str, inner: str):
    monkeypatch.setenv("SCRIPT_NAME", "/statuslog/")
    assert seen(path=path)["PATH_INFO"] == inner


def test_the_sub_path_alone_leads_to_its_slash(seen, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SCRIPT_NAME", "/statuslog")
    status, headers = seen(path="/statuslog")["answer"]
    assert status.startswith("308 ")
    assert ("Location", "/statuslog/") in headers


@pytest.mark.parametrize(
    "value", ["statuslog", "/a b", "//host", "/a//b", "/..", "/a?b", "/log", "/admin/x", "/status"]
)
def test_what_is_no_sub_path(monkeypatch: pytest.MonkeyPatch, value: str):
    monkeypatch.setenv("SCRIPT_NAME", value)
    with pytest.raises(EnvError, match=r"^SCRIPT_NAME=.*such as /statuslog"):
        proxy.prefix()


@pytest.mark.parametrize("value", ["localhost", "10.0.0.1/8", "*", "10.0.0", "127.0.0.1 ::1"])
def test_what_is_no_network(monkeypatch: pytest.MonkeyPatch, value: str):
    monkeypatch.setenv("TRUSTED_PROXIES", value)
    with pytest.raises(EnvError, match=r"^TRUSTED_PROXIES=.*such as 127\.0\.0\.1"):
        proxy.trusted()


def test_https_needs_somebody_to_believe(monkeypatch: pytest.MonkeyPatch):
    assert proxy.https() is False
    monkeypatch.setenv("HTTPS", "1")
    with pytest.raises(EnvError, match="set TRUSTED_PROXIES too"):
        proxy.https()
    monkeypatch.setenv("TRUSTED_PROXIES", "127.0.0.1")
    assert proxy.https() is True


def test_no_path_of_a_service_can_be_the_prefix():
    """Each first part of a path that the three services know, whichever of their ports has it."""
    own = set()
    for paths in ("service1.urls", "service1.metrics_urls", "service2.urls", "storage.urls", "storage.admin_urls"):
        patterns = import_module(paths).urlpatterns
        own |= {re.split(r"[/<]", str(pattern.pattern))[0] for pattern in patterns}
    assert {"status", "log", "admin"} <= own
    assert own - {"", "favicon.ico"} <= proxy._OWN_PATHS
