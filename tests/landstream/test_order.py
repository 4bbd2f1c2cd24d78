"""Order of arrival and a kill half-way do not show: one small case of each; `make test-chaos` has the matrix."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from shared.area import load_area
from simulator.season import Site, plan_season, write_acquisition
from tests.conftest import AREAS, copy_store, landstream

AREA = AREAS / "small.yaml"


@pytest.fixture(scope="module")
def reprocessed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A later version of one of the six products."""
    area = load_area(AREA)
    (later,) = [a for a in plan_season(area.years[0]) if a.why == "reprocessed"]
    return write_acquisition(Site(area.grid.epsg, area.grid.bounds_m), later, tmp_path_factory.mktemp("later"))


def test_the_result_does_not_depend_on_order_or_kills(
    six: list[Path], mapped: Path, reprocessed: Path, tmp_path: Path
) -> None:
    """The later version last, after maps were made of the earlier one, and killed half-way; or everything reversed."""
    first, second = tmp_path / "first", tmp_path / "second"
    copy_store(mapped, first)
    command = ("run", "--area", AREA, "--store", first, "--once", reprocessed)
    killed = landstream(*command, check=False, env={**os.environ, "LANDSTREAM_FAILPOINT": "cube.after_commit"})
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    landstream(*command)
    assert not list((first / ".landstream" / "work").iterdir())

    landstream("run", "--area", AREA, "--store", second, "--once", reprocessed, *six[::-1])
    digest = landstream("digest", "--store", second).stdout
    assert landstream("digest", "--store", first).stdout == digest
    assert digest != landstream("digest", "--store", mapped).stdout
