"""The compose file, without an engine: nothing runs as root, unlimited, unpinned or open to the network."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import requires
from typing import Any, get_args

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from landstream.provision.grants import grants
from shared.stage import registry
from shared.stage.deployment import Image, Service
from tests.conftest import ROOT
from tools.make_secrets import FOLDER, USERS, make_secrets

STACK = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
LOCAL = yaml.safe_load((ROOT / "docker" / "compose.local.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("landstream/")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

each_service = pytest.mark.parametrize("name", SERVICES)


@each_service
def test_each_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & service.keys()


@each_service
def test_each_service_has_limits_and_time_to_end(name: str) -> None:
    assert {"mem_limit", "cpus", "pids_limit"} <= SERVICES[name].keys()
    assert SERVICES[name]["stop_grace_period"] == "40s"


@each_service
def test_each_service_has_a_health_check_or_ends(name: str) -> None:
    service = SERVICES[name]
    ends = service.get("restart") in ("no", "on-failure") or "images" in service.get("profiles", [])
    assert service["healthcheck"] == {"disable": True} if ends else "test" in service["healthcheck"]
    assert ends or service["restart"] == "unless-stopped"


@each_service
def test_ports_are_this_machines_own(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("services", [SERVICES, LOCAL["services"]], ids=["stack", "local"])
def test_images_are_pinned(services: dict[str, dict[str, Any]]) -> None:
    for image in (service["image"] for service in services.values() if "image" in service):
        default = re.sub(r"\$\{\w+:-(.+)\}", r"\1", image)
        assert re.fullmatch(r"[\w/-]+:(v?\d+\.\d+\.\d+|RELEASE\.[\dTZ-]+)", default), image


def test_base_images_are_pinned() -> None:
    for path in (ROOT / "docker").glob("*.Dockerfile"):
        argument, base = re.findall(r"^ARG (PYTHON|DEBIAN|COMMON)=(\S+)$", path.read_text(), re.MULTILINE)[0]
        assert re.fullmatch(r"[\w/]+:(?!latest)[\w.-]+", base), path
        assert re.findall(r"^FROM (\S+)$", path.read_text(), re.MULTILINE) == [f"${{{argument}}}"]


def test_our_images_have_the_projects_version() -> None:
    assert {service["image"].partition(":")[2] for service in OURS.values()} == {PROJECT["version"]}
    for kind in get_args(Image):
        assert f"landstream/common:{PROJECT['version']}" in (ROOT / "docker" / f"{kind}.Dockerfile").read_text()


@pytest.mark.parametrize("declared", registry.all_services(), ids=lambda s: s.name)
def test_every_service_runs_in_an_image_of_its_own_extra(declared: Service) -> None:
    service = SERVICES[declared.name]
    assert service["command"] == ["python", "-m", f"services.{declared.package}", *declared.arguments]
    assert service["image"] == f"landstream/{declared.name}:{PROJECT['version']}"
    assert service["build"]["args"] == {"EXTRAS": declared.extra}
    assert service["build"]["dockerfile"] == f"docker/{declared.deployment.image}.Dockerfile"
    assert service["environment"]["LANDSTREAM_INSTANCE"] == declared.name
    assert service["secrets"] == [{"source": declared.name, "target": "aws"}]


def test_what_plans_or_syncs_is_no_heavier_than_its_dependencies() -> None:
    assert SERVICES["sweeper"]["build"]["args"] == SERVICES["model-sync"]["build"]["args"] == {"EXTRAS": ""}
    assert SERVICES["provision"]["build"]["args"] == {"EXTRAS": "provision"}
    modules = "services.sweeper.sweeper, services.model_sync.sync, landstream.provision, landstream.cli"
    heavy = ("rasterio", "pyogrio", "netCDF4", "scipy", "zarr", "icechunk", "tensorflow", "grpc", "matplotlib")
    code = f"import sys, {modules}; print([m for m in {heavy!r} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert loaded == "[]\n"


PLAIN = [declared for declared in registry.all_services() if declared.deployment.image == "plain"]


@pytest.mark.parametrize("declared", PLAIN, ids=lambda declared: declared.name)
def test_a_plain_image_holds_all_that_its_service_imports(declared: Service) -> None:
    code = (
        "import pkgutil, sys, importlib as i; from importlib.metadata import packages_distributions as of;"
        f"root = i.import_module('services.{declared.package}');"
        "names = [m.name for m in pkgutil.walk_packages(root.__path__, root.__name__ + '.')];"
        "[i.import_module(name) for name in names if not name.endswith('__main__')];"
        "found = of(); print(*{d for m in {m.partition('.')[0] for m in sys.modules} for d in found.get(m, ())})"
    )
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    installed = required(PROJECT["dependencies"] + PROJECT["optional-dependencies"].get(declared.extra, []))
    assert {canonicalize_name(name) for name in loaded.split()} - installed <= {"setuptools", "landstream"}


def required(lines: Iterable[str]) -> set[str]:
    """The names of distributions that requirements name, and of what these require in turn."""
    left, known = [(line, "") for line in lines], set[tuple[str, str]]()
    while left:
        line, extra = left.pop()
        need = Requirement(line)
        if need.marker is None or need.marker.evaluate({"extra": extra}):
            name = canonicalize_name(need.name)
            for own in {"", *need.extras} - {own for known_name, own in known if known_name == name}:
                known.add((name, own))
                left += [(further, own) for further in requires(name) or ()]
    return {name for name, _ in known}


def test_extras_exist() -> None:
    for service in SERVICES.values():
        for extra in service.get("build", {}).get("args", {}).get("EXTRAS", "").split():
            assert extra in PROJECT["optional-dependencies"]


def test_every_secret_is_made(tmp_path) -> None:
    folder = tmp_path / "secrets"
    make_secrets(folder)
    assert FOLDER == ROOT / "docker" / "secrets"
    files = {s["file"].removeprefix("./docker/secrets/") for s in STACK["secrets"].values() if "file" in s}
    made = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == made
    assert {f"users/{user}" for user in USERS} <= made


def test_users_are_those_of_the_declared_table() -> None:
    assert list(USERS) == [grant.user for grant in grants()]


def test_secrets_are_kept_and_closed_to_others(tmp_path) -> None:
    folder = tmp_path / "secrets"
    make_secrets(folder)
    before = {path: path.read_text() for path in folder.rglob("*") if path.is_file()}
    make_secrets(folder)
    assert {path: path.read_text() for path in folder.rglob("*") if path.is_file()} == before
    assert len(set(before.values())) == len(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    # A container reads them as another user than the host's.
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in before)


def test_the_local_stack_has_no_image_of_a_registry() -> None:
    services = {name: {**service, **LOCAL["services"].get(name, {})} for name, service in SERVICES.items()}
    started = [service for service in services.values() if "profiles" not in service]
    assert all(service["image"].startswith("landstream/") for service in started)
