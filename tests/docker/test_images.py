"""What is in the images: no secret, no root, nothing that only tests or builds need."""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.stack import PYTHON_IMAGE, SERVICES, Stack, docker, docker_json

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

every_service = pytest.mark.parametrize("service", SERVICES)


@pytest.fixture(scope="module")
def saved(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`docker save` of the three images."""
    file = tmp_path_factory.mktemp("images") / "saved.tar"
    docker("save", "--output", str(file), *(stack.image(service) for service in SERVICES))
    return file


def own_files(saved: Path, image: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file in each layer that the image adds to its base, deleted ones too."""
    base = len(docker_json("image", "inspect", PYTHON_IMAGE)[0]["RootFS"]["Layers"])
    with tarfile.open(saved) as outer:
        manifest = json.load(outer.extractfile("manifest.json"))  # type: ignore[arg-type]
        layers = next(entry["Layers"] for entry in manifest if f"{image}:latest" in entry["RepoTags"])
        for layer in layers[base:]:
            with tarfile.open(fileobj=outer.extractfile(layer)) as inner:
                for member in inner:
                    if member.isfile():
                        yield member.name, inner.extractfile(member).read()  # type: ignore[union-attr]


@every_service
def test_no_secret_is_in_a_layer_the_history_or_the_settings(
    stack: Stack, canary: str, saved: Path, service: str
) -> None:
    image = stack.image(service)
    assert canary not in docker("history", "--no-trunc", image)
    assert canary not in docker("image", "inspect", image)
    settings = docker_json("image", "inspect", image)[0]["Config"]["Env"]
    assert not [setting for setting in settings if "SECRET" in setting or "PASSWORD" in setting]
    for name, content in own_files(saved, image):
        assert canary.encode() not in content, name
        assert Path(name).name not in {"secret_key", ".env", "db.sqlite3"}, name


@every_service
def test_only_the_services_own_code_is_in_it(stack: Stack, saved: Path, service: str) -> None:
    code = {Path(name).parts[1] for name, _ in own_files(saved, stack.image(service)) if name.startswith("app/")}
    assert code == {"statuslog", service}


@every_service
def test_nothing_that_only_tests_need_is_installed(stack: Stack, service: str) -> None:
    code = "import importlib.metadata as m; print(*(d.name.lower() for d in m.distributions()))"
    installed = set(stack.python(service, code).split())
    assert "django" in installed
    assert not installed & {"pytest", "ruff", "mypy", "hypothesis", "playwright", "schemathesis", "drf-spectacular"}


@every_service
def test_of_the_page_s_package_only_what_the_page_uses_is_in_it(saved: Path, stack: Stack, service: str) -> None:
    files = {Path(name).name for name, _ in own_files(saved, stack.image(service)) if "sidecar/static/" in name}
    licences = {"LICENSE", "swagger-ui-bundle.js.LICENSE.txt"}
    assert files == {"swagger-ui.css", "swagger-ui-bundle.js", *licences}


@every_service
def test_it_runs_as_a_user_of_its_own_and_says_what_it_is(stack: Stack, service: str) -> None:
    config = docker_json("image", "inspect", stack.image(service))[0]["Config"]
    assert config["User"] == "10001:10001"
    assert config["Labels"]["org.opencontainers.image.title"] == f"statuslog {service}"


@every_service
def test_its_code_is_compiled_already(stack: Stack, saved: Path, service: str) -> None:
    files = {name for name, _ in own_files(saved, stack.image(service)) if name.startswith("app/")}
    sources = {Path(name) for name in files if name.endswith(".py")}
    compiled = {Path(name) for name in files if name.endswith(".pyc")}
    assert {source.stem for source in sources} == {file.name.split(".")[0] for file in compiled}
