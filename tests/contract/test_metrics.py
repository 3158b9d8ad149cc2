"""`GET /metrics` of the three services: on which port, and what is counted there."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.contract.client import ask, exchange, get
from tests.processes import Services

pytestmark = pytest.mark.live

EVERYWHERE = {
    "statuslog_build_info",
    "statuslog_host_uptime_seconds",
    "statuslog_disk_free_bytes",
    "statuslog_batch_size",
}


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
