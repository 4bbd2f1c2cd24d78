"""The cube against an independent reader of a season's products, at 1,000 random places for each kind of pixel.

The season has all that is hard: twin products, a superseded baseline, two UTM zones, an acquisition at both levels,
overlapping OLCI frames, and a near-real-time frame with its final version.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import icechunk
import numpy as np
import pytest
import zarr

from tests.conftest import AREAS, landstream
from tests.services.tiler import oracle

PLACES = 1000
PRODUCTS = 16
YEAR = 2018
MSI, OLCI = "Sentinel-2/MSI", "Sentinel-3/OLCI"


@dataclass
class Season:
    """A season's products and the cube that was made of them, read without code of ours."""

    products: Path
    cube: zarr.Group
    grid: oracle.Grid

    def array(self, path: str) -> Any:
        return self.cube[f"small/{YEAR}/{path}"]


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Season:
    """Without labels there is nothing to train on, so that the run ends with the cube."""
    folder = tmp_path_factory.mktemp("oracle")
    products, store = folder / "products", folder / "store"
    landstream("simulate", "season", "--area", AREAS / "small.yaml", "--out", products, "--products", PRODUCTS)
    given = [p for p in sorted(products.iterdir()) if p.suffix != ".gpkg"]
    assert len(given) == PRODUCTS - 1
    landstream("run", "--area", AREAS / "small.yaml", "--store", store, "--once", *given)
    return open_season(products, store)


@pytest.fixture(scope="module")
def granules(season: Season) -> list[oracle.Granule]:
    """The season's L2A products, whose images are read once."""
    return oracle.granules(season.products, season.grid)


def open_season(products: Path, store: Path) -> Season:
    icechunk.set_logs_filter("error")
    repository = icechunk.Repository.open(icechunk.local_filesystem_storage(str(store / "cube")))
    cube = zarr.open_group(repository.readonly_session("main").store, mode="r")
    group = cube[f"small/{YEAR}/{MSI}"]
    assert isinstance(group, zarr.Group)
    x, y = (np.asarray(group[name]) for name in ("x_20m", "y_20m"))
    epsg = int(group["spatial_ref"].attrs["epsg"])
    return Season(products, cube, oracle.Grid(epsg, float(x[0]) - 10, float(y[0]) + 10, (len(y), len(x))))


def check(
    season: Season,
    products: list[Any],
    size: tuple[int, int],
    rank: Callable[[Any, int, int], tuple[Any, ...] | None],
    stored: Callable[[int, int, int], tuple[Any, ...] | None],
    sensor: str,
    pixel_m: int,
) -> Counter[str]:
    """Compare 1,000 places over the weeks that hold anything; count what was met."""
    rng = np.random.default_rng(20180605)
    by_week: dict[int, list[Any]] = {}
    for product in products:
        year, week = oracle.week_of(product.time)
        assert year == YEAR
        by_week.setdefault(week, []).append(product)
    weeks = sorted(by_week)
    scenes = {week: np.asarray(season.array(f"{sensor}/scenes")[week]) for week in weeks}
    met: Counter[str] = Counter()
    wrong = []
    for _ in range(PLACES):
        week, row, col = weeks[rng.integers(len(weeks))], int(rng.integers(size[0])), int(rng.integers(size[1]))
        ranks = {p: rank(p, row, col) for p in by_week[week]}
        competing = {p: r for p, r in ranks.items() if r is not None}
        best = min(competing, key=lambda p: competing[p], default=None)
        found = stored(week, row, col)
        if found != (competing[best] if best else None):
            wrong.append((week, row, col, found, competing))
        met["observed"] += best is not None
        met["contested"] += len(competing) > 1
        met["empty"] += best is None
        met[f"source {found[1] if found else 0}"] += 1
        tile = int((row + 0.5) * pixel_m // 2560), int((col + 0.5) * pixel_m // 2560)
        if all(0 <= t < n for t, n in zip(tile, scenes[week].shape, strict=False)):
            held = scenes[week][tile]
            assert held[held > 0].tolist() == sorted(set(held[held > 0].tolist()))
            assert {oracle.number_of(p.root) for p in competing} <= set(held.tolist())
            assert set(held[held > 0].tolist()) <= {oracle.number_of(p.root) for p in by_week[week]}
    assert not wrong, f"{len(wrong)} of {PLACES} differ, such as {wrong[0]}; {met}"
    return met


def test_cells_of_10_and_20_m(season: Season, granules: list[oracle.Granule]) -> None:
    fine, coarse = season.array(f"{MSI}/10m"), season.array(f"{MSI}/20m")
    source, distance = season.array(f"{MSI}/20m_source"), season.array(f"{MSI}/20m_cloud_distance_px")

    def stored(week: int, row: int, col: int) -> tuple[Any, ...] | None:
        pixels = np.asarray(fine[week, 2 * row : 2 * row + 2, 2 * col : 2 * col + 2]).reshape(-1)
        values = (*pixels.tolist(), *np.asarray(coarse[week, row, col]).tolist())
        code, nearest = int(source[week, row, col]), int(distance[week, row, col])
        if code == 0:
            assert not any(values)
            assert nearest == 0
            return None
        return -nearest, code, values

    met = check(season, granules, season.grid.shape, oracle.Granule.cell, stored, MSI, 20)
    assert met["observed"] > 400
    assert met["contested"] > 50
    assert met["empty"] > 50
    # Scenes of either zone, warped or copied, have won somewhere.
    codes = {int(name.removeprefix("source ")) - 1 for name in met if name.startswith("source ") and name != "source 0"}
    assert {code & 4 for code in codes} == {0, 4}
    assert len(codes) > 4


def test_pixels_of_60_m(season: Season, granules: list[oracle.Granule]) -> None:
    values = season.array(f"{MSI}/60m")
    source, distance = season.array(f"{MSI}/60m_source"), season.array(f"{MSI}/60m_cloud_distance_px")

    def stored(week: int, row: int, col: int) -> tuple[Any, ...] | None:
        found = tuple(np.asarray(values[week, row, col]).tolist())
        code, nearest = int(source[week, row, col]), int(distance[week, row, col])
        if code == 0:
            assert not any(found)
            return None
        return -nearest, code, found

    met = check(season, granules, values.shape[1:3], oracle.Granule.pixel_60m, stored, MSI, 60)
    assert met["observed"] > 300
    assert met["contested"] > 50


def test_pixels_of_300_m(season: Season) -> None:
    values = season.array(f"{OLCI}/300m")
    source, rank = season.array(f"{OLCI}/300m_source"), season.array(f"{OLCI}/300m_rank")

    def stored(week: int, row: int, col: int) -> tuple[Any, ...] | None:
        found = np.asarray(values[week, row, col])
        code = int(source[week, row, col])
        if code == 0:
            assert np.isnan(found).all()
            return None
        return int(rank[week, row, col]), code, tuple(found.tolist())

    # A pixel whose centre lies beyond the last tile belongs to no tile: nothing is merged there.
    side = season.grid.shape[0] * 20, season.grid.shape[1] * 20
    size = tuple(int((length - 150) // 300) + 1 for length in side)
    products = oracle.frames(season.products, season.grid)
    met = check(season, products, (size[0], size[1]), oracle.Frame.pixel, stored, OLCI, 300)
    assert met["observed"] > 400
    assert met["contested"] > 50
