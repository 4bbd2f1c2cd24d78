"""Order of arrival and a kill half-way do not show: one small case of each, beside the matrix of tests/chaos."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from shared.area import load_area
from simulator.season import Site, plan_season, write_acquisition
from tests.conftest import AREAS, copy_store, landstream

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1800)]

AREA = AREAS / "small.yaml"


@pytest.fixture(scope="module")
def reprocessed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A later version of one of the six products."""
    area = load_area(AREA)
    (later,) = [a for a in plan_season(area.years[0]) if a.why == "reprocessed"]
    return write_acquisition(Site(area.grid.epsg, area.grid.bounds_m), later, tmp_path_factory.mktemp("later"))


def test_the_result_does_not_depend_on_order_or_kills(six: list[Path], mapped: Path, tmp_path: Path) -> None:
    """The six products reversed, and killed half-way."""
    store = tmp_path / "store"
    killed_then_run(store, *six[::-1])
    assert digest_of(store) == digest_of(mapped)


def test_a_later_version_may_come_last_or_first(
    six: list[Path], mapped: Path, reprocessed: Path, tmp_path: Path
) -> None:
    """The later version last, after maps were made of the earlier one, and killed half-way; or everything reversed."""
    first, second = copy_store(mapped, tmp_path / "first"), tmp_path / "second"
    killed_then_run(first, reprocessed)
    landstream("run", "--area", AREA, "--store", second, "--once", reprocessed, *six[::-1])
    assert digest_of(first) == digest_of(second) != digest_of(mapped)


def killed_then_run(store: Path, *products: Path) -> None:
    """Run over products, killed as the cube has changed for the first time, and run again."""
    command = ("run", "--area", AREA, "--store", store, "--once", *products)
    killed = landstream(*command, check=False, env={**os.environ, "LANDSTREAM_FAILPOINT": "cube.after_commit"})
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    landstream(*command)
    assert not list((store / ".landstream" / "work").iterdir())


def digest_of(store: Path) -> str:
    return landstream("digest", "--store", store).stdout
