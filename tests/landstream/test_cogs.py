"""Scenes that come as COGs: the cube is that of the SAFE, which outranks them in either order of arrival."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from shared.cube import open_cube
from shared.items.weeks import iso_week
from shared.raster.grid import Window
from simulator.cogs import write_cogs
from tests.conftest import landstream
from tests.landstream.cubes import AREA, fill_cube, write_products
from tests.services.ingest.conftest import write_scene

WEEK = "2018-W23"
pytestmark = pytest.mark.chaos


@pytest.fixture(scope="module")
def safe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without reflectance below zero, which COGs with the offset applied cannot hold."""
    return write_scene(tmp_path_factory.mktemp("safe"), least_dn=1001, clear=True)


@pytest.fixture(scope="module")
def of_safe(safe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the SAFE."""
    return fill_cube(tmp_path_factory.mktemp("of_safe") / "store", safe)


def pixels(store: Path, week: str = WEEK) -> list[np.ndarray]:
    cube = open_cube(str(store / "cube"), AREA, "read")
    rows, columns = AREA.grid.shape_px(60)
    return [*cube.msi(week, 0, 0, *AREA.grid.shape_px(10)), cube.msi_60m(week, Window(0, 0, rows, columns), 2)]


@pytest.mark.parametrize("applied", [True, False])
def test_the_cube_is_that_of_the_safe(applied: bool, safe: Path, of_safe: Path, tmp_path: Path) -> None:
    store = fill_cube(tmp_path / "store", write_cogs(safe, tmp_path, applied=applied))
    for of_cogs, expected in zip(pixels(store), pixels(of_safe), strict=True):
        assert expected.any()
        assert np.array_equal(of_cogs, expected)


@pytest.mark.parametrize("safe_first", [True, False])
def test_the_safe_outranks_the_cogs(safe_first: bool, safe: Path, of_safe: Path, tmp_path: Path) -> None:
    """COGs whose pixels say something else, so that it shows whose they are."""
    other = write_scene(tmp_path / "other", least_dn=5000, clear=True)
    cogs, store = write_cogs(other, tmp_path, applied=False), tmp_path / "store"
    for product in (safe, cogs) if safe_first else (cogs, safe):
        fill_cube(store, product)
    for found, expected in zip(pixels(store), pixels(of_safe), strict=True):
        assert expected.any()
        assert np.array_equal(found, expected)
    assert digest_of(store) == digest_of(of_safe)


def test_a_season_without_offset(tmp_path: Path) -> None:
    (old,) = write_products(tmp_path, "old baseline, no offset")
    week = iso_week(datetime.strptime(old.name[11:19], "%Y%m%d").replace(tzinfo=UTC))
    stores = [
        fill_cube(tmp_path / name, product)
        for name, product in (("safe", old), ("cogs", write_cogs(old, tmp_path, applied=False)))
    ]
    for of_safe, of_cogs in zip(*(pixels(store, week) for store in stores), strict=True):
        assert of_safe.any()
        assert np.array_equal(of_cogs, of_safe)


def digest_of(store: Path) -> str:
    return landstream("digest", "--store", store).stdout
