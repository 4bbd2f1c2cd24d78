"""A small season, written once and judged by many tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyproj import Transformer

from simulator.season import Acquisition, Site, plan_season, write_season
from tests.conftest import real_data


def real_folder(name: str) -> Path:
    """Folder of real data, for tests marked `realdata`: they are skipped without it, and fail on CI."""
    folder = real_data() / name
    assert folder.is_dir(), f"{folder} is missing"
    return folder


def small_site(size_px: int = 360, seed: int = 5) -> Site:
    """A site on the border of zones 34 and 35, on the 60 m lattice."""
    x, y = Transformer.from_crs(4326, 32634, always_xy=True).transform(24.0, 45.6)
    x, y = int(x // 60 * 60), int(y // 60 * 60)
    half = size_px * 5
    return Site(32634, (x - half, y - half, x + half, y + half), 0, seed)


@pytest.fixture(scope="session")
def site() -> Site:
    return small_site()


@pytest.fixture(scope="session")
def season(site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Acquisition, Path]]:
    """Every product of a season by what it is in the plan for."""
    out = tmp_path_factory.mktemp("season")
    plan = plan_season(2018)
    paths = list(write_season(site, plan, out, workers=1))
    return {a.why: (a, path) for a, path in zip(plan, paths, strict=True)}
