"""Every line of docker-compose.yml that keeps a container small, as the engine and the kernel see it."""

import json

import pytest

from tests.docker.stack import CONTAINERS, SERVICES, Stack

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

every_container = pytest.mark.parametrize("container", CONTAINERS)
every_service = pytest.mark.parametrize("service", SERVICES)


@every_container
def test_the_root_filesystem_is_read_only_but_for_a_small_tmp(stack: Stack, container: str) -> None:
    host = stack.inspect(container)["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert list(host["Tmpfs"]) == ["/tmp"]
    assert {"size=64m", "noexec", "nosuid", "nodev"} <= set(host["Tmpfs"]["/tmp"].split(","))


@every_container
def test_no_privilege_is_left_or_can_be_won(stack: Stack, container: str) -> None:
    host = stack.inspect(container)["HostConfig"]
    added = {name.removeprefix("CAP_") for name in host["CapAdd"] or ()}
    assert host["CapDrop"] == ["ALL"]
    init = container == "vstorage-init"
    assert added == ({"CHOWN", "FOWNER", "SETGID", "SETUID"} if init else set())
    assert host["SecurityOpt"] == ["no-new-privileges:true", *(["label:disable"] if init else [])]
    assert not host["Privileged"]
    assert not host["Devices"]
    assert host["PidMode"] == "" and host["UsernsMode"] == "" and host["IpcMode"] in ("private", "")


@every_container
def test_processes_memory_and_logs_are_limited(stack: Stack, container: str) -> None:
    host = stack.inspect(container)["HostConfig"]
    assert 0 < host["PidsLimit"] <= 512
    assert 0 < host["Memory"] <= 512 * 2**20
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}


@every_container
def test_nothing_of_the_host_is_mounted_but_vstorage(stack: Stack, container: str) -> None:
    mounts = stack.inspect(container)["Mounts"]
    binds = [mount["Destination"] for mount in mounts if mount["Type"] == "bind"]
    volumes = [mount["Destination"] for mount in mounts if mount["Type"] == "volume"]
    assert binds == ([] if container == "storage" else ["/vstorage"])
    assert volumes == ([] if container == "vstorage-init" else [f"/data/{container}"])


def test_selinux_lets_both_services_use_vstorage(stack: Stack) -> None:
    # z labels the file for containers. This engine may have no SELinux; what it was told is what counts.
    for service in ("service1", "service2"):
        (bind,) = (bind for bind in stack.inspect(service)["HostConfig"]["Binds"] if bind.startswith("/"))
        assert set(bind.removeprefix(f"{stack.vstorage}:/vstorage:").split(",")) == {"rw", "z"}


@every_service
def test_it_is_restarted_reaped_and_watched(stack: Stack, service: str) -> None:
    found = stack.inspect(service)
    assert found["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert found["HostConfig"]["Init"]
    assert found["Config"]["StopTimeout"] == 15
    assert found["Config"]["Healthcheck"]["Test"][:2] == ["CMD", "python"]
    assert found["State"]["Health"]["Status"] == "healthy"


@every_service
def test_its_processes_are_not_root_and_have_no_capability(stack: Stack, service: str) -> None:
    code = (
        "import json, pathlib;"
        "lines = pathlib.Path('/proc/self/status').read_text().splitlines();"
        "print(json.dumps(dict(line.split(':\\t') for line in lines if ':\\t' in line)))"
    )
    process = json.loads(stack.python(service, code))
    assert stack.inspect(service)["Config"]["User"] == "10001:10001"
    assert set(process["Uid"].split()) == set(process["Gid"].split()) == {"10001"}
    assert int(process["CapPrm"], 16) == int(process["CapEff"], 16) == int(process["CapBnd"], 16) == 0
    assert process["NoNewPrivs"] == "1"


@every_service
def test_it_can_write_its_data_and_nothing_of_its_code(stack: Stack, service: str) -> None:
    paths = ["/app", "/venv", "/etc", "/data", f"/data/{service}", "/tmp"]
    code = f"import os; print(*(path for path in {paths} if os.access(path, os.W_OK)))"
    assert stack.python(service, code).split() == [f"/data/{service}", "/tmp"]


def test_the_services_start_side_by_side_and_stop_before_those_they_need(stack: Stack) -> None:
    services = json.loads(stack.compose("config", "--format", "json"))["services"]

    def needs(service: str) -> dict[str, str]:
        return {name: need["condition"] for name, need in services[service].get("depends_on", {}).items()}

    vstorage, started = {"vstorage-init": "service_completed_successfully"}, "service_started"
    assert needs("storage") == {}
    assert needs("service2") == {**vstorage, "storage": started}
    assert needs("service1") == {**vstorage, "storage": started, "service2": started}
