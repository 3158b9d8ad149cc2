"""Web pages of other origins: they post nothing to storage, and take no records."""

import pytest

from tests.contract.client import JSON, PROBLEM, TEXT, ask, get, post
from tests.contract.conftest import Start
from tests.processes import Services

pytestmark = pytest.mark.live

LINE = b"2026-01-01T00:00:00Z: uptime 1.000 hours, free disk in root: 1.00 MBytes"
EVIL = "https://evil.example"
# How a browser marks what a page of another origin sends; older browsers send only `Origin`.
FOREIGN = [
    {"Origin": EVIL, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    {"Origin": EVIL, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
    {"Origin": EVIL, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Purpose": "prefetch;prerender"},
    {"Origin": EVIL},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "https://127.0.0.1"},
    {"Origin": "http://[::1"},
]
LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
each_foreign = pytest.mark.parametrize("headers", FOREIGN, ids=lambda headers: " ".join(headers.values()))


@each_foreign
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", JSON, None])
def test_no_page_of_another_origin_posts_to_the_log(services: Services, headers: dict[str, str], content_type: str):
    answer = post(f"{services.storage}/log", LINE, content_type, **headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, TEXT)
    assert len(answer.text.splitlines()) == 1
    assert get(f"{services.storage}/log").content == b""


@each_foreign
@pytest.mark.parametrize("path", ["/log", "/overview", "/edition", "/readyz", "/metrics", "/nope"])
def test_nor_does_it_reach_anything_else_of_storage(services: Services, headers: dict[str, str], path: str):
    for method in ("GET", "HEAD", "OPTIONS"):
        answer = ask(method, f"{services.storage}{path}", headers=headers)
        assert answer.status_code == 403
        assert not [name for name in answer.headers if name.startswith("Access-Control")]


@each_foreign
@pytest.mark.parametrize("name", ["service1", "service2"])
def test_nor_does_it_take_a_record(services: Services, headers: dict[str, str], name: str):
    for method in ("GET", "HEAD"):
        assert ask(method, f"{getattr(services, name)}/status", headers=headers).status_code == 403
    assert services.vstorage.read_bytes() == b""


def test_the_refusal_is_a_problem_for_clients_that_ask_for_json(services: Services):
    answer = post(f"{services.storage}/log", LINE, Accept=JSON, Origin=EVIL)
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, PROBLEM)
    assert answer.json()["status"] == 403


@pytest.mark.parametrize("name", ["service1", "service2"])
def test_somebody_who_follows_a_link_takes_a_record(services: Services, name: str):
    answer = get(f"{getattr(services, name)}/status", headers=LINK)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, TEXT)
    assert get(f"{services.storage}/log", headers=LINK).content == answer.content


def test_a_page_of_another_origin_may_look_at_the_rest_of_service1(services: Services):
    for path in ("/", "/log", "/healthz", "/docs"):
        assert get(f"{services.service1}{path}", headers=FOREIGN[0]).status_code == 200


@pytest.mark.parametrize("site", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}])
def test_the_own_pages_and_programs_go_on(services: Services, site: dict[str, str]):
    own = {name: {**site, "Origin": getattr(services, name)} for name in ("service1", "storage")}
    for headers in (site, own["storage"], {**own["storage"], "Origin": services.storage.upper()}):
        assert post(f"{services.storage}/log", LINE, **headers).status_code == 201
    assert get(f"{services.service1}/status", headers=own["service1"]).status_code == 200


def test_the_origin_of_a_host_with_the_usual_port(services: Services):
    headers = {"Host": "localhost", "Origin": "http://localhost:80"}
    assert post(f"{services.storage}/log", LINE, **headers).status_code == 201
    assert post(f"{services.storage}/log", LINE, **headers | {"Origin": "https://localhost"}).status_code == 403


def test_behind_a_proxy_the_public_origin_is_the_own_one(start: Start):
    behind = start(
        "storage",
        SCRIPT_NAME="/statuslog",
        TRUSTED_PROXIES="127.0.0.1",
        DJANGO_ALLOWED_HOSTS="status.example.org,127.0.0.1",
    )
    url = f"{behind.storage}/statuslog/log"
    public = {"X-Forwarded-Host": "status.example.org", "X-Forwarded-Proto": "https"}
    assert post(url, LINE, **public, Origin="https://status.example.org").status_code == 201
    for other in (behind.storage, "http://status.example.org", "https://status.example.org:8443", EVIL):
        assert post(url, LINE, **public, Origin=other).status_code == 403
