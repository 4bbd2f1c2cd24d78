"""A service that lacks its extra, its test, its registration or its shape is found here."""

from __future__ import annotations

import ast
import tomllib
from dataclasses import replace

import pytest

from shared.stage import Collection, published, registry
from shared.stage.deployment import Service
from tests.conftest import ROOT

NAMES = sorted(p.parent.name for p in (ROOT / "services").glob("*/stage.py"))
LONGEST_STAGE = 130
FORBIDDEN = ("shared.store", "shared.bus", "services.sweeper", "kafka", "boto3", "minio")


def test_the_seven_services_are_registered() -> None:
    assert {"ingest", "reprojection", "rasterize", "cloudmask", "tiler", "trainer", "inference"} <= set(NAMES)
    assert registry.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_service_is_whole(name: str) -> None:
    stage = registry.load(name)
    assert stage.name == name
    assert stage.consumes
    assert published(stage)
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert name in pyproject["project"]["optional-dependencies"], f"pyproject.toml has no extra {name}"
    assert name in pyproject["project"]["optional-dependencies"]["all"][0]
    assert list((ROOT / "tests" / "services" / name).glob("test_*.py")), f"tests/services/{name} holds no test"
    docstring = ast.get_docstring(ast.parse((ROOT / "services" / name / "__init__.py").read_text()))
    assert docstring, f"services/{name}/__init__.py says nothing"
    assert (ROOT / "services" / name / "__main__.py").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_a_stage_stays_short_and_knows_no_client(name: str) -> None:
    path = ROOT / "services" / name / "stage.py"
    assert len(path.read_text().splitlines()) <= LONGEST_STAGE
    for node in ast.walk(ast.parse(path.read_text())):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        modules += [a.name for a in node.names] if isinstance(node, ast.Import) else []
        assert not [m for m in modules if m.startswith(FORBIDDEN)]


def test_upstream_comes_first() -> None:
    order = [s.name for s in registry.in_order([registry.load(n) for n in registry.names()])]
    assert order[-3:] == ["tiler", "trainer", "inference"]
    for before, after in (
        ("ingest", "cloudmask"),
        ("cloudmask", "tiler"),
        ("tiler", "inference"),
        ("trainer", "inference"),
    ):
        assert order.index(before) < order.index(after)


def test_what_a_stage_publishes_itself_does_not_hold_it_up() -> None:
    trainer = replace(registry.load("trainer"), consumes=("training-requests", "models"))
    others = [registry.load(n) for n in NAMES if n != "trainer"]
    assert [s.name for s in registry.in_order([*others, trainer])][-3:] == ["tiler", "trainer", "inference"]


def test_a_circle_of_two_still_ends() -> None:
    there, back = (
        replace(registry.load("rasterize"), name=name, consumes=(c,), publishes=(Collection(p, "", ""),))
        for name, c, p in (("b", "x", "y"), ("a", "y", "x"))
    )
    assert [s.name for s in registry.in_order([there, back])] == ["a", "b"]


def test_services_without_a_stage_follow_the_stages() -> None:
    folder = ROOT / "services"
    packages = {".".join(p.parent.relative_to(folder).parts) for p in folder.rglob("service.py")}
    services = registry.all_services()
    assert {s.package for s in services[len(NAMES) :]} == packages
    assert [s.name for s in services[: len(NAMES)]] == [s.name for s in registry.all_stages()]
    assert len({s.name for s in services}) == len(services)


@pytest.mark.parametrize("service", registry.all_services(), ids=lambda s: s.name)
def test_a_pod_has_longer_to_end_than_nearly_every_job(service: Service) -> None:
    assert service.deployment.p99_s + 30 <= service.deployment.end_s <= service.deployment.p99_s + 360
    assert (ROOT.joinpath("services", *service.package.split("."), "__main__.py")).is_file()


def test_an_unknown_service() -> None:
    with pytest.raises(registry.NoSuchService, match="there are cloudmask"):
        registry.load("nonsense")
