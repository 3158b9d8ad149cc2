"""Behind a real nginx with TLS and a sub-path, by the very lines of docs/operations/proxy.md."""

import http.client
import re
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from tests.processes import ROOT, Services, free_ports, running
from tests.required import leave_out

pytestmark = pytest.mark.live

HOST = "status.example.org"
USER = {"DJANGO_SUPERUSER_USERNAME": "admin", "DJANGO_SUPERUSER_PASSWORD": "a long enough password"}
# Around the documented lines: in the foreground, as whoever starts it, with all files in one folder.
FRAME = """
daemon off; master_process off; pid {folder}/pid; error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {server}
}}
"""


def documented(services: Services, folder: Path, ports: list[int]) -> str:
    """The lines for nginx, with free ports and a certificate of the test's own."""
    (text,) = re.findall(
        r"^```nginx\n(.*?)^```", (ROOT / "docs/operations/proxy.md").read_text(), re.MULTILINE | re.DOTALL
    )
    for old, new in {
        "listen 80": f"listen 127.0.0.1:{ports[0]}",
        "listen 443": f"listen 127.0.0.1:{ports[1]}",
        "/etc/ssl": str(folder),
        "127.0.0.1:8199": f"127.0.0.1:{services.ports['service1']}",
        "127.0.0.1:8200": f"127.0.0.1:{services.ports['admin']}",
    }.items():
        assert old in text
        text = text.replace(old, new)
    return FRAME.format(folder=folder, server=text)


class Proxied:
    """The services, and the nginx in front of them."""

    def __init__(self, services: Services, folder: Path) -> None:
        self.services = services
        self.folder = folder
        self.plain, self.port = free_ports(2)
        self.address = f"https://{HOST}:{self.port}/statuslog/"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(folder / f"{HOST}.pem")
        self.session.headers["Host"] = f"{HOST}:{self.port}"
        self.session.mount("https://", Resolved())

    def get(self, path: str, **options) -> requests.Response:
        return self.session.get(urljoin(self.address, path), timeout=10, **options)


class Resolved(requests.adapters.HTTPAdapter):
    """Finds the host name here, and still asks for its certificate."""

    def get_connection_with_tls_context(self, request, verify, proxies=None, cert=None):
        _, pool_options = self.build_connection_pool_key_attributes(request, verify, cert)
        port = int(request.url.split("/")[2].rpartition(":")[2])
        return self.poolmanager.connection_from_host(
            "127.0.0.1", port, "https", {**pool_options, "server_hostname": HOST, "assert_hostname": HOST}
        )


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory, static_root: Path) -> Iterator[Proxied]:
    for program in ("nginx", "openssl"):
        if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            leave_out(f"there is no {program}; install it (Debian: apt-get install nginx-light openssl)")
    folder = tmp_path_factory.mktemp("proxy")
    settings = {
        **USER,
        "STATIC_ROOT": str(static_root),
        "SCRIPT_NAME": "/statuslog",
        "TRUSTED_PROXIES": "127.0.0.1",
        "HTTPS": "1",
        "DJANGO_ALLOWED_HOSTS": f"{HOST},127.0.0.1",
    }
    with running(folder / "services", **settings) as services:
        proxied = Proxied(services, folder)
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
                *("-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}", "-days", "2"),
                *("-keyout", folder / f"{HOST}.key", "-out", folder / f"{HOST}.pem"),
            ],
            check=True,
            capture_output=True,
        )
        config = folder / "nginx.conf"
        config.write_text(documented(services, folder, [proxied.plain, proxied.port]))
        nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
        assert nginx
        with subprocess.Popen([nginx, "-p", folder, "-c", config], stderr=subprocess.PIPE, text=True) as process:
            try:
                wait_for(proxied, process)
                yield proxied
            finally:
                process.terminate()


def wait_for(proxied: Proxied, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 20
    while True:
        assert process.poll() is None, process.communicate()
        try:
            assert proxied.get("healthz").text == "alive\n"
            return
        except requests.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_the_services_under_the_sub_path(proxied: Proxied):
    assert len(proxied.get("status").text.splitlines()) == 2
    assert proxied.get("log").content == proxied.services.vstorage.read_bytes()
    page = proxied.get("log?format=json&limit=1").json()
    assert page["next"].startswith("/statuslog/log?")
    assert len(proxied.get(page["next"]).json()["records"]) == 1
    assert proxied.get("schema").json()["servers"] == [{"url": "/statuslog"}]
    assert "swagger" in proxied.get("docs").text
    assert proxied.get("docs/start.js").status_code == 200
    assert "max-age=31536000" in proxied.get("healthz").headers["Strict-Transport-Security"]


def test_the_page_and_all_that_it_names(proxied: Proxied):
    page = proxied.get("")
    addresses = set(re.findall(r'(?:href|src|action|data-follow)="([^"#]+)"', page.text))
    named = {address for address in addresses if not address.startswith("data:")}
    assert {"log", "docs", "status"} <= named
    for address in named - {"status"}:
        assert urljoin(page.url, address).startswith(proxied.address)
        if "follow=1" not in address:
            assert proxied.get(address).status_code == 200, address


def test_the_services_without_the_proxy_go_on_as_they_are(proxied: Proxied):
    for name in ("service1", "service2", "storage"):
        assert proxied.services.readiness(name)["ready"]
        answer = requests.get(f"http://127.0.0.1:{proxied.services.ports[name]}/statuslog/healthz", timeout=10)
        assert answer.text == "alive\n"
        assert "Strict-Transport-Security" not in answer.headers


def test_to_the_slash_and_to_https(proxied: Proxied):
    answer = proxied.get("/statuslog", allow_redirects=False)
    assert (answer.status_code, urljoin(answer.url, answer.headers["Location"])) == (308, proxied.address)
    url = f"http://127.0.0.1:{proxied.plain}/statuslog/log?tail=1"
    answer = requests.get(url, headers={"Host": HOST}, allow_redirects=False, timeout=10)
    assert answer.headers["Location"] == f"https://{HOST}/statuslog/log?tail=1"


def test_the_admin_s_login(proxied: Proxied):
    login = proxied.get("admin/")
    assert login.url == urljoin(proxied.address, "admin/login/?next=/statuslog/admin/")
    style = re.findall(r'href="(/[^"]+\.css)"', login.text)
    assert style
    assert all(proxied.get(path).status_code == 200 for path in style)
    (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', login.text)
    form = {"csrfmiddlewaretoken": token, "username": "admin", "password": USER["DJANGO_SUPERUSER_PASSWORD"]}
    origin = {"Origin": proxied.address.removesuffix("/statuslog/"), "Referer": login.url}
    page = proxied.session.post(login.url, form, headers=origin, timeout=10)
    assert (page.status_code, page.url) == (200, urljoin(proxied.address, "admin/"))
    assert "What storage keeps" in page.text
    assert {(cookie.name, cookie.path, cookie.secure) for cookie in proxied.session.cookies} == {
        ("statuslog_session", "/statuslog", True),
        ("statuslog_csrf", "/statuslog", True),
    }
    proxied.session.cookies.clear()
    foreign = proxied.session.post(login.url, form, headers={"Origin": "https://evil.example"}, timeout=10)
    assert foreign.status_code == 403


def test_what_a_client_says_of_itself_ends_at_nginx(proxied: Proxied):
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-Forwarded-For": "9.9.9.9"}
    answer = proxied.get("admin/login/", headers=forged)
    assert answer.status_code == 200
    assert "Strict-Transport-Security" in answer.headers


def test_a_client_that_is_no_proxy_is_not_believed(proxied: Proxied):
    """It comes from another address of this host than the one that is trusted."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", proxied.services.ports["admin"], timeout=10, source_address=("127.0.0.2", 0)
    )
    forged = {"Host": HOST, "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
    connection.request("GET", "/statuslog/admin/login/", headers=forged)
    answer = connection.getresponse()
    assert answer.status == 200  # of HOST; evil.example would be 400
    assert answer.getheader("Strict-Transport-Security") is None
    connection.close()


def test_who_follows_gets_each_record_as_it_comes(proxied: Proxied):
    context = ssl.create_default_context(cafile=str(proxied.folder / f"{HOST}.pem"))
    context.check_hostname = False
    connection = http.client.HTTPSConnection("127.0.0.1", proxied.port, timeout=10, context=context)
    connection.request("GET", "/statuslog/log?follow=1&tail=1", headers={"Host": HOST})
    answer = connection.getresponse()
    answer.readline()
    for _ in range(2):  # nothing would come within 10 s if nginx waited for its buffer to be full
        lines = proxied.get("status").content.splitlines(keepends=True)
        assert [answer.readline() for _ in lines] == lines
    connection.close()
