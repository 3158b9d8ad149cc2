"""The `Host` header: service1 and service2 answer to any name, storage and its admin to the names that are allowed."""

import pytest

from tests.contract.client import JSON, PROBLEM, TEXT, exchange, get, post
from tests.contract.conftest import Start
from tests.processes import Services

pytestmark = pytest.mark.live

NAMES = ["service_1:8199", "service_1", "my_project_service1_1", "_dmarc.example.org.", "HOST_A.example:80", "a__b_"]
PATHS = {
    "service1": ["/status", "/log", "/", "/docs", "/schema", "/healthz", "/readyz"],
    "service2": ["/status", "/healthz", "/readyz", "/metrics", "/schema"],
}
MALFORMED = ["", "a b", "[::1", "a_b c", "a_b:x", "a_b@c", "a_b/c", "<a_b>", "a_b,c_d", '"a_b"', "a\\_b", "[a_b]"]


@pytest.mark.parametrize("host", NAMES)
@pytest.mark.parametrize("name", PATHS)
def test_any_name_will_do_with_underscores_too(services: Services, name: str, host: str):
    for path in PATHS[name]:
        assert get(f"{getattr(services, name)}{path}", headers={"Host": host}).status_code == 200, path


@pytest.mark.parametrize("name", ["service1", "service2", "storage", "admin"])
@pytest.mark.parametrize("host", MALFORMED)
def test_what_is_no_host_is_400_in_our_form(services: Services, name: str, host: str):
    for accept, kind in (("*/*", TEXT), (JSON, PROBLEM)):
        head = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
        answer = exchange(services.ports[name], head.encode())
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert f"\r\nContent-Type: {kind}\r\n".encode() in answer
        assert len(answer.partition(b"\r\n\r\n")[2].splitlines()) == 1


@pytest.mark.parametrize("host", ["evil.example", "evil_1.example", "my_storage", "local_host"])
def test_storage_and_the_admin_answer_to_their_own_names_only(services: Services, host: str):
    """It keeps DNS rebinding out."""
    assert get(f"{services.storage}/log", headers={"Host": host}).status_code == 400
    assert get(f"{services.admin}/admin/login/", headers={"Host": host}).status_code == 400


def test_a_name_with_an_underscore_can_be_one_of_them(start: Start):
    storage = start("storage", DJANGO_ALLOWED_HOSTS="my_storage,.some_project.example,127.0.0.1")
    for host in ("my_storage:8000", "MY_STORAGE", "a.some_project.example"):
        assert get(f"{storage.storage}/healthz", headers={"Host": host}).status_code == 200
        assert post(f"{storage.storage}/log", b"a", Host=host, Origin=f"http://{host}").status_code == 201
        assert get(f"{storage.admin}/admin/login/", headers={"Host": host}).status_code == 200
    for host in ("other_storage", "my_storage_2", "my_storage.evil.example", "some-project.example"):
        assert get(f"{storage.storage}/healthz", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["a_b.example", "evil.example"])
@pytest.mark.parametrize("path", ["/admin", "//evil_1.example/admin", "/log/", "/%0d%0aSet-Cookie:a=b/admin", "/"])
@pytest.mark.parametrize("name", ["service1", "storage", "admin"])
def test_no_redirect_goes_to_another_host(services: Services, name: str, path: str, host: str):
    answer = get(f"{getattr(services, name)}{path}", headers={"Host": host, "X-Forwarded-Host": host})
    assert host not in answer.headers.get("Location", "")
    assert not answer.headers.get("Location", "").startswith("//")
    assert "Set-Cookie" not in answer.headers


CONTENT_TYPES = [
    "text/plain; charset=rot13",
    "text/plain; charset=undefined",
    "text/plain; charset=idna",
    "text/plain; charset=no-such",
    'text/plain; charset="',
    "text/plain; charset*=rot13''a%41",
    "text/plain; a*=no-such''a%41",
    "text/plain; a*0*=''%ff; a*1",
    "text/plain;;=;",
]


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_no_content_type_breaks_a_request(services: Services, content_type: str):
    assert get(f"{services.service1}/status?a=b", headers={"Content-Type": content_type}).status_code == 200
    assert get(f"{services.storage}/log?limit=1", headers={"Content-Type": content_type}).status_code == 200
    assert get(f"{services.admin}/admin/login/?a=b", headers={"Content-Type": content_type}).status_code == 200
    assert post(f"{services.storage}/log", b"a", content_type).status_code == 201
