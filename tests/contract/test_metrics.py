"""`GET /metrics` of the three services: on which port, and what is counted there."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.contract.client import ask, exchange, get, post
from tests.processes import Services

pytestmark = pytest.mark.live

EVERYWHERE = {"statuslog_build_info", "statuslog_disk_free_bytes", "statuslog_batch_size", "statuslog_requests"}


def address(services: Services, name: str) -> str:
    return f"http://127.0.0.1:{services.ports['metrics' if name == 'service1' else name]}/metrics"


@pytest.mark.parametrize("name", ["service1", "service2", "storage"])
def test_each_service_answers_what_prometheus_can_read(services: Services, name: str):
    get(f"{services.service1}/status")
    answer = get(address(services, name), headers={"Accept": "application/openmetrics-text;version=1.0.0,*/*;q=0.1"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = list(text_string_to_metric_families(answer.text))
    assert {family.name for family in families} >= EVERYWHERE
    assert all(family.name.startswith("statuslog_") and family.documentation for family in families)
    assert len({family.name for family in families}) == len(families)


def requests(services: Services, name: str) -> dict[tuple[str, str, str], float]:
    """How many requests the service has counted, by route, method and code."""
    families = text_string_to_metric_families(get(address(services, name)).text)
    samples = [sample for family in families for sample in family.samples]
    return {
        (sample.labels["route"], sample.labels["method"], sample.labels["code"]): sample.value
        for sample in samples
        if sample.name == "statuslog_requests_total"
    }


def test_requests_are_counted_by_route_method_and_code(services: Services):
    before = {name: requests(services, name) for name in ("service1", "service2", "storage")}
    for _ in range(3):
        get(f"{services.service1}/status")
    for path in ("/a", "/b?c=d", "/status/"):
        get(f"{services.service1}{path}")
    ask("BREW", f"{services.service1}/status")
    post(f"{services.storage}/log", b"a")
    get(f"{services.storage}/log?tail=no")
    rise = {
        (name, *key): count - before[name].get(key, 0)
        for name in before
        for key, count in requests(services, name).items()
        if key[0] in ("/status", "/log", "other") and count != before[name].get(key)
    }
    assert rise.pop(("storage", "/log", "POST", "201")) >= 1  # besides it the records', which may come late
    rise.pop(("storage", "/log", "POST", "200"), None)  # and twice
    assert rise == {
        ("service1", "/status", "GET", "200"): 3,
        ("service1", "other", "GET", "404"): 3,
        ("service1", "/status", "other", "405"): 1,
        ("service2", "/status", "GET", "200"): 3,
        ("storage", "/log", "GET", "400"): 1,
    }


def test_the_public_port_shows_no_metrics(services: Services):
    answer, unknown = get(f"{services.service1}/metrics"), get(f"{services.service1}/no-such-path")
    assert (answer.status_code, answer.text) == (unknown.status_code, unknown.text)
    assert answer.status_code == 404


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "X-Forwarded-Port", "SERVER_PORT", "Server-Port"])
def test_no_header_opens_them_there(services: Services, header: str):
    port = services.ports["metrics"]
    value = f"127.0.0.1:{port}" if header.endswith("Host") else str(port)
    lines = [
        "GET /metrics HTTP/1.1",
        *([] if header == "Host" else ["Host: a"]),
        f"{header}: {value}",
        "Connection: close",
    ]
    request = "".join(f"{line}\r\n" for line in [*lines, ""]).encode()
    assert exchange(services.public_port, request).startswith(b"HTTP/1.1 404 ")


def test_the_admin_s_port_shows_none(services: Services):
    assert get(f"{services.admin}/metrics").status_code == 404


@pytest.mark.parametrize("path", ["/status", "/log", "/healthz", "/schema", "/docs", "/"])
def test_the_metrics_port_has_nothing_else(services: Services, path: str):
    assert get(f"http://127.0.0.1:{services.ports['metrics']}{path}").status_code == 404


def test_they_can_only_be_read(services: Services):
    for name in ("service1", "service2", "storage"):
        assert ask("POST", address(services, name), data=b"x").status_code == 405
        assert ask("HEAD", address(services, name)).status_code == 200
