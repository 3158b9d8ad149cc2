"""What can be reached from the host and from beside the services: service1, the admin here, nothing else."""

import json
import socket

import pytest

from tests.docker.stack import CONTAINERS, Stack

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]


def bindings(stack: Stack, container: str) -> list[tuple[str, str, int]]:
    """(port of the container, address of the host, port of the host) of all that the container publishes."""
    published = stack.inspect(container)["HostConfig"]["PortBindings"] or {}
    return [(port, host["HostIp"], int(host["HostPort"])) for port, hosts in published.items() for host in hosts]


def accepts(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=2).close()
    except OSError:
        return False
    return True


def test_two_ports_are_published_and_no_third(stack: Stack) -> None:
    assert [binding for container in CONTAINERS for binding in bindings(stack, container)] == [
        ("8000/tcp", "", stack.public_port),
        ("8001/tcp", "127.0.0.1", stack.admin_port),
    ]


def test_without_variables_they_are_8199_for_all_and_8200_for_this_host(stack: Stack) -> None:
    config = json.loads(stack.compose("config", "--format", "json", SERVICE1_PORT="", ADMIN_PORT=""))
    published = [
        (port.get("host_ip", ""), port["published"], port["target"])
        for service in config["services"].values()
        for port in service.get("ports", [])
    ]
    assert published == [("", "8199", 8000), ("127.0.0.1", "8200", 8001)]


def test_service1_bind_keeps_it_on_one_address(stack: Stack) -> None:
    for address in ("127.0.0.1", "[::1]"):
        config = json.loads(stack.compose("config", "--format", "json", SERVICE1_BIND=address))
        (port,) = config["services"]["service1"]["ports"]
        assert port["host_ip"] == address.strip("[]")


def test_service1_answers_at_ipv4_and_at_ipv6(stack: Stack) -> None:
    for address in ("127.0.0.1", "[::1]", "localhost"):
        assert stack.get(f"http://{address}:{stack.public_port}/healthz").status_code == 200


def test_another_machine_reaches_service1_and_not_the_admin(stack: Stack) -> None:
    # The host's address on a network of its own is to it what a machine of the LAN would use.
    address = stack.network("frontend")["IPAM"]["Config"][0]["Gateway"]
    assert accepts(address, stack.public_port)
    assert accepts("127.0.0.1", stack.admin_port)
    assert not accepts(address, stack.admin_port)


def test_the_admins_port_has_the_admin_and_no_api(stack: Stack) -> None:
    assert stack.get(f"{stack.admin}/admin/login/").status_code == 200
    assert stack.get(f"{stack.admin}/log").status_code == 404


def test_storages_api_port_has_the_api_and_no_admin(stack: Stack) -> None:
    assert stack.fetch("service1", "http://storage:8000/log") == 200
    assert stack.fetch("service1", "http://storage:8000/admin/") == 404
    assert stack.fetch("service1", "http://storage:8000/admin/login/") == 404


def test_the_metrics_are_for_containers(stack: Stack) -> None:
    for address in ("service1:8001", "service2:8000", "storage:8000"):
        assert stack.fetch("service2", f"http://{address}/metrics") == 200
    assert stack.get(f"{stack.public}/metrics").status_code == 404
    assert stack.get(f"{stack.admin}/metrics").status_code == 404
    # The folder that the workers count in is writable in a container that is read-only otherwise.
    code = "import pathlib; print(*[len(list(p.iterdir())) > 1 for p in pathlib.Path('/dev/shm').glob('statuslog-*')])"
    assert stack.python("service1", code).split() == ["True"]


def test_the_admin_has_its_style(stack: Stack) -> None:
    page = stack.get(f"{stack.admin}/admin/login/").text
    sheet = page.split('rel="stylesheet" href="')[1].split('"')[0]
    assert stack.get(stack.admin + sheet).headers["Content-Type"].startswith("text/css")


def test_only_the_networks_that_a_service_needs(stack: Stack) -> None:
    def networks(service: str) -> set[str]:
        return {
            name.removeprefix(f"{stack.project}_") for name in stack.inspect(service)["NetworkSettings"]["Networks"]
        }

    assert networks("service1") == {"frontend", "backend"}
    assert networks("service2") == {"backend"}
    assert networks("storage") == {"backend", "admin"}
    assert networks("vstorage-init") == {"none"}
    assert stack.network("backend")["Internal"]
