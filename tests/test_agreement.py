"""Compose file, manifests and settings classes agree: images, commands, ports, users, variables and their values."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic_settings import BaseSettings

from shared.area import load_area
from shared.bus import OBJECTS
from shared.observe.metrics import DUE
from shared.settings import variables
from shared.stage import registry
from tests.conftest import AREAS, ROOT, absent
from tools.make_secrets import USERS
from tools.manifests.render import OVERLAYS, Resource, render
from tools.manifests.workloads import containers_of, settings_of, workloads
from tools.servers import MissingToolError

SIDECARS = {s.name for s in registry.all_services() if s.sidecar}
PROCESSES = [*(s.name for s in registry.all_services() if not s.sidecar), "provision"]
JOBS = {s.name for s in registry.all_stages() if s.deployment.job_each}
BACKENDS = ["kafka", "store"]
LIKE = {"prune": "tiler"}
"""What Kubernetes alone does by the clock, and the process whose image it runs."""

FOREIGN = {"TMPDIR", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED"}
"""Variables that libraries read: no settings of ours."""

Environment = dict[str, str]


def test_every_process_runs_the_same_image_in_both(compose: Resource, dev: list[Resource]) -> None:
    for name, container in containers(dev).items():
        assert container["image"] == compose[LIKE.get(name, name)]["image"], name
    assert containers(dev).keys() >= {*PROCESSES, *BACKENDS, "serving", *SIDECARS}


def test_every_process_is_started_alike(compose: Resource, dev: list[Resource]) -> None:
    found = containers(dev)
    for name in PROCESSES:
        if name not in JOBS:  # a Job there, a service here
            assert found[name]["command"] == compose[name]["command"], name
    for name in SIDECARS:
        assert found[name]["command"] == compose[name]["command"][:3]
    for process in (*found.values(), *compose.values()):
        command = process.get("command") or []
        if command[:2] == ["python", "-m"]:
            assert importlib.util.find_spec(command[2]), command


def test_every_process_is_the_same_user(compose: Resource, dev: list[Resource]) -> None:
    for name, template in workloads(dev):
        identity = template["spec"]["securityContext"]
        expected = f"{identity['runAsUser']}:{identity['runAsGroup']}"
        assert expected == compose[LIKE.get(name, name)]["user"], name
    dockerfile = (ROOT / "docker" / "common.Dockerfile").read_text()
    assert re.findall(r"^USER (.*)$", dockerfile, re.MULTILINE)[-1] == compose["ingest"]["user"]


def test_ports_are_where_they_are_looked_for(compose: Resource, dev: list[Resource]) -> None:
    port = settings_of(dev)["LANDSTREAM_HTTP_PORT"]
    for name in {*PROCESSES, *SIDECARS} - {"provision"}:
        (found,) = containers(dev)[name]["ports"]
        assert str(found["containerPort"]) == port == str(compose[name]["environment"]["LANDSTREAM_HTTP_PORT"]), name
    scraped = yaml.safe_load((ROOT / "docker" / "prometheus.yml").read_text())["scrape_configs"][0]
    assert set(scraped["static_configs"][0]["targets"]) == {
        f"{name}:{port}" for name in {*PROCESSES, *SIDECARS} - {"provision"}
    }
    services = {r["metadata"]["name"]: [p["port"] for p in r["spec"]["ports"]] for r in dev if r["kind"] == "Service"}
    for variable, name in (
        ("LANDSTREAM_KAFKA", "kafka"),
        ("LANDSTREAM_S3", "store"),
        ("LANDSTREAM_INFERENCE_SERVING_ADDRESS", "serving"),
    ):
        host, _, number = settings_of(dev)[variable].removeprefix("http://").partition(":")
        assert (host, [int(number)]) == (name, services[name])
    for process in (containers(dev)["serving"]["args"], compose["serving"]["command"]):
        assert f"--port={services['serving'][0]}" in process
        assert any(a.startswith("--model_config_file=") and a.endswith("/models.config") for a in process)


def test_every_variable_is_a_field_of_a_settings_class() -> None:
    known = {variable for cls in settings_classes() for variable in variables(cls)}
    used = {
        (str(path.relative_to(ROOT)), variable)
        for path in (ROOT / "docker-compose.yml", *(ROOT / "docker").glob("*"), *(ROOT / "k8s").rglob("*"))
        if path.is_file()
        for variable in re.findall(r"\bLANDSTREAM_[A-Z0-9_]+", path.read_text())
    }
    assert not sorted((path, variable) for path, variable in used if variable not in known)


def test_every_environment_parses(
    compose: Resource, dev: list[Resource], prod: list[Resource], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in [v for v in os.environ if v.startswith(("LANDSTREAM_", "AWS_"))]:
        monkeypatch.delenv(variable)
    classes = settings_classes()
    known = {variable for cls in classes for variable in variables(cls)}
    for where, environment in environments(compose, dev, prod):
        assert not environment.keys() - known - FOREIGN, where
        with monkeypatch.context() as patched:
            for variable, value in environment.items():
                patched.setenv(variable, value)
            for cls in classes:
                given = cls()
                for variable, field in variables(cls).items():
                    if variable in environment:
                        default = cls.model_fields[field].default
                        assert (getattr(given, field) != default) or str(default) == environment[variable], where


ACCOUNTS = {service.name: set(service.variables) for service in registry.other_services()}
"""Service -> the variables of people's own accounts."""


def test_environments_are_the_same_but_for_where_secrets_lie(compose: Resource, dev: list[Resource]) -> None:
    found = dict(environments({}, dev, []))
    for name in (*PROCESSES, *SIDECARS):
        here, there = compose[name]["environment"], found[f"dev/{name}"]
        for variable in (here.keys() & there.keys()) - {"AWS_SHARED_CREDENTIALS_FILE", "LANDSTREAM_INSTANCE"}:
            assert str(here[variable]) == there[variable], (name, variable)
        only = {v for v in here.keys() ^ there.keys() if v.startswith("LANDSTREAM_")}
        only -= ACCOUNTS.get(name, set())  # compose hands on what is set; Kubernetes has a secret
        assert only <= {
            "LANDSTREAM_GRACE_S",  # Kubernetes grants each service its own; compose the usual to all
            "LANDSTREAM_INSTANCE",  # a Job is no member of a group
            "LANDSTREAM_KAFKA_PARTITIONS",  # the default; KEDA's limit stands beside it
            "LANDSTREAM_KAFKA_USERNAME",  # used where Kafka asks for it
            "LANDSTREAM_MODEL_SYNC_MODELS",  # here it is an argument
            "LANDSTREAM_INFERENCE_SERVING_ADDRESS",  # told to all; only inference asks
        }, (name, only)


def test_backends_are_set_up_alike(compose: Resource, dev: list[Resource]) -> None:
    for name in BACKENDS:
        here = {k: str(v) for k, v in compose[name]["environment"].items()}
        there = {e["name"]: e["value"] for e in containers(dev)[name]["env"]}
        assert here.keys() == there.keys(), name
        for variable in here:
            if "LISTENER" not in variable and not variable.endswith("_FILE"):  # compose has a listener for the host
                assert here[variable] == there[variable], variable
    assert compose["store"]["environment"]["MINIO_NOTIFY_KAFKA_TOPIC_PRIMARY"] == OBJECTS


def test_the_same_users_are_made_in_both(compose: Resource, dev: list[Resource]) -> None:
    (credentials,) = (
        v["projected"]["sources"] for v in dict(workloads(dev))["provision"]["spec"]["volumes"] if "projected" in v
    )
    assert [s["secret"]["items"] for s in credentials] == [[{"key": "s3", "path": user}] for user in USERS]
    assert [s["secret"]["name"] for s in credentials] == [f"landstream-{user}" for user in USERS]
    assert {*USERS} == {*PROCESSES, *SIDECARS, "deliver", "operator", "prune"} - {"provision"}


def test_what_scaling_reads_is_what_the_sweeper_exposes(dev: list[Resource]) -> None:
    (family,) = DUE.collect()
    triggers = [t for r in dev if r["kind"].startswith("Scaled") for t in r["spec"]["triggers"]]
    for trigger in triggers:
        name, label, stage = re.fullmatch(r'(\w+)\{(\w+)="(\w+)"\}', trigger["metadata"]["valueLocation"]).groups()  # type: ignore[union-attr]
        assert (name, (label,)) == (family.name, DUE._labelnames)
        assert stage in registry.names()
        assert trigger["metadata"]["url"] == "http://sweeper.landstream.svc:9100/metrics"


def test_the_area_is_the_same() -> None:
    assert load_area(OVERLAYS / "dev" / "area.yaml") == load_area(AREAS / "small.yaml")


@pytest.fixture(scope="module")
def compose() -> Resource:
    """The services of the compose file, each with its environment; what the host may set has its default."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (ROOT / "docker-compose.yml").read_text())
    services: dict[str, Resource] = yaml.safe_load(text)["services"]
    return {name: {"environment": {}, **service} for name, service in services.items()}


def rendered(name: str) -> list[Resource]:
    try:
        return render(OVERLAYS / name)
    except MissingToolError as error:
        absent(error)


@pytest.fixture(scope="module")
def dev() -> list[Resource]:
    return rendered("dev")


@pytest.fixture(scope="module")
def prod() -> list[Resource]:
    return rendered("prod")


def containers(resources: list[Resource]) -> dict[str, Resource]:
    """Containers by their workload's name, the sidecar by its own."""
    return {
        container["name"] if container["name"] in SIDECARS else name: container
        for name, template in workloads(resources)
        for container in containers_of(template)
    }


def environments(compose: Resource, dev: list[Resource], prod: list[Resource]) -> Iterator[tuple[str, Environment]]:
    """(where, variables) of every process of ours."""
    ours = {*PROCESSES, *SIDECARS}
    for name in ours & compose.keys():
        yield f"compose/{name}", {k: str(v) for k, v in compose[name]["environment"].items()}
    for overlay, resources in (("dev", dev), ("prod", prod)):
        for name, container in containers(resources).items():
            if name in ours:
                assert container["envFrom"][0]["configMapRef"]["name"].startswith("landstream-")
                # What a pod's own fields tell is its name.
                own = {e["name"]: e.get("value", f"{name}-0") for e in container.get("env", ())}
                yield f"{overlay}/{name}", {**settings_of(resources), **own}


def settings_classes() -> list[type[BaseSettings]]:
    """Every settings class of the product."""
    found: list[type[BaseSettings]] = []
    for path in sorted(p for folder in ("landstream", "services", "shared") for p in (ROOT / folder).rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and any(ast.unparse(b).endswith("Settings") for b in node.bases):
                module = importlib.import_module(module_name(path))
                found.append(getattr(module, node.name))
    return found


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
