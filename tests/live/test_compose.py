"""The whole stack in containers: products dropped into landing/ are mapped, also after the engine was restarted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from tests.live.stack import MAPS, Stack, build, docker, name_of, running_stack

pytestmark = [pytest.mark.compose, pytest.mark.timeout(1800)]


def week_of(product: Path) -> str:
    """The ISO week of a Sentinel-2 product's name."""
    found = re.search(r"_(\d{8})T\d{6}_", product.name)
    assert found
    year, week, _ = date.fromisoformat(found[1]).isocalendar()
    return f"{year}-W{week:02d}"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    build()
    with running_stack() as stack:
        yield stack


@pytest.fixture(scope="module")
def held_back(six: list[Path]) -> Path:
    """The last Sentinel-2 product, for after the restart."""
    return max((p for p in six if "_MSIL2A_" in p.name), key=week_of)


def test_products_are_mapped(stack: Stack, six: list[Path], held_back: Path) -> None:
    for product in six:
        if product != held_back:
            stack.land(product)
    stack.wait("first map", lambda: bool(stack.keys(MAPS)), 600)
    assert stack.keys(f"{MAPS}{week_of(held_back)}/") == []
    assert stack.keys("failures/") == []


def test_containers_are_confined(stack: Stack) -> None:
    containers = stack.containers()
    assert {name_of(c) for c in containers} >= {"kafka", "store", "ingest", "trainer", "inference", "sweeper"}
    for container in containers:
        host = container["HostConfig"]
        assert host["ReadonlyRootfs"], name_of(container)
        assert host["CapDrop"] == ["ALL"]
        assert not host["CapAdd"]
        assert not host["Privileged"]
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert host["Memory"] > 0
        assert host["NanoCpus"] > 0
        assert host["PidsLimit"] > 0
        assert all(b["HostIp"] == "127.0.0.1" for bs in (host["PortBindings"] or {}).values() for b in bs)
        # What the kernel says, which counts.
        status = dict(
            line.split(":\t", 1) for line in docker("exec", container["Id"], "cat", "/proc/1/status").splitlines()
        )
        assert "0" not in status["Uid"].split()
        assert "0" not in status["Gid"].split()
        assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
        assert status["NoNewPrivs"] == "1"
        print(f"{name_of(container)}: uid {status['Uid'].split()[0]}, no capabilities, read-only")


@pytest.mark.parametrize("service", ["reprojection", "rasterize"])
def test_loops_were_compiled_with_the_image(stack: Stack, service: str) -> None:
    program = (
        f"from services.{service} import kernels\n"
        "loops = [f.stats for f in vars(kernels).values() if hasattr(f, 'stats')]\n"
        "print(len(loops) > 3, sum(sum(s.cache_misses.values()) for s in loops))"
    )
    (container,) = (c for c in stack.containers() if name_of(c) == service)
    assert docker("exec", container["Id"], "python", "-c", program).split() == ["True", "0"]


def test_goes_on_after_a_restart_of_the_engine(stack: Stack, held_back: Path) -> None:
    stack.restart_engine()
    stack.wait("all healthy after the restart", stack.healthy, 300)
    stack.land(held_back)
    stack.wait("map of the next product", lambda: bool(stack.keys(f"{MAPS}{week_of(held_back)}/")), 600)
    assert stack.keys("failures/") == []
