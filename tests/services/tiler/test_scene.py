from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from services.tiler.bands import to_stored
from services.tiler.scene import ClearDistance, cloud_distance
from services.tiler.warp import fits, gather, source_index
from shared.geo import Grid
from shared.raster.cog import Band, Encoding, Strip, write_cog
from shared.raster.grid import Lattice, Window

BANDS = (Band("codes"), Band("clear"))
GRID = Grid(32634, 600_000, 5_000_040, 2, 2)


@given(arrays(np.uint16, 50), st.sampled_from([-1000, 0, 37]), st.sampled_from([10_000.0, 5_000.0, 20_000.0]))
def test_stored_values(dn: np.ndarray, offset: int, quantification: float) -> None:
    stored = to_stored(dn, offset, quantification)
    reflectance = (dn.astype(float) + offset) / quantification
    expected = np.rint((reflectance + 0.1) * 10_000).clip(1, 65535)
    assert (stored[dn == 0] == 0).all()
    assert np.abs(stored - expected)[dn != 0].max(initial=0) <= (0 if quantification == 10_000 else 1)


def test_products_of_today_are_copied() -> None:
    dn = np.arange(0, 65536, dtype=np.uint16)
    assert np.array_equal(to_stored(dn, -1000, 10_000), dn)


@given(arrays(np.uint8, (12, 9), elements=st.sampled_from([1, 1, 1, 1, 1, 2, 3, 0, 4])))
def test_distance_is_the_floor_of_the_euclidean(codes: np.ndarray) -> None:
    hidden = np.argwhere((codes == 2) | (codes == 3))
    distance = cloud_distance(codes)
    for y, x in np.ndindex(codes.shape):
        nearest = min((np.hypot(*(hidden - (y, x)).T)).min(), 50) if len(hidden) else 50
        assert distance[y, x] == int(nearest)


def test_distance_is_capped() -> None:
    codes = np.ones((1, 200), np.uint8)
    codes[0, 0] = 2
    assert cloud_distance(codes)[0].tolist() == [min(50, n) for n in range(200)]


@pytest.mark.parametrize("side", [7, 64, 512])
def test_strips_of_the_mask_are_parts_of_the_whole(tmp_path: Path, side: int) -> None:
    rng = np.random.default_rng(0)
    codes = rng.choice(np.array([1, 2, 3, 4], np.uint8), (300, 40), p=[0.997, 0.001, 0.001, 0.001])
    clear = rng.choice(np.array([0, 1], np.uint8), codes.shape)
    strips = (Strip(codes, band=1), Strip(clear, band=2))
    lattice = Lattice(GRID.crs, GRID.origin_x_m, GRID.origin_y_m, 20, codes.shape)
    write_cog(
        tmp_path / "mask.tif", lattice, BANDS, strips, Encoding("uint8", None, "mode"), title="mask", attribution=""
    )
    expected = np.where((codes == 1) & (clear == 1), cloud_distance(codes) + 1, 0)
    with ThreadPoolExecutor(2) as pool:
        mask = ClearDistance(tmp_path / "mask.tif", codes.shape, pool, side)
        for top in range(0, 300, 25):
            index = source_index(lattice.window(Window(top, -3, 25, 46)), lattice)
            mask.hold([index])
            assert np.array_equal(mask.take(index), np.pad(expected, ((0, 0), (3, 3)))[top : top + 25])


def test_copy_on_the_lattice_is_identity() -> None:
    lattice = Lattice(GRID.crs, GRID.origin_x_m, GRID.origin_y_m, 20, (256, 256))
    raster = np.arange(256 * 256).reshape(256, 256)
    assert fits(lattice, GRID)
    assert np.array_equal(gather(raster, source_index(Lattice.of_area(GRID, 20), lattice)), raster)
    shifted = gather(raster, source_index(Lattice.of_area(GRID, 20).window(Window(-3, 5, 10, 10)), lattice), outside=-1)
    assert (shifted[:3] == -1).all()
    assert np.array_equal(shifted[3:], raster[:7, 5:15])


def test_lattice_of_another_phase_or_zone_is_warped() -> None:
    assert not fits(Lattice(GRID.crs, GRID.origin_x_m + 20, GRID.origin_y_m, 20, (9, 9)), GRID)
    assert not fits(Lattice("EPSG:32635", GRID.origin_x_m, GRID.origin_y_m, 20, (9, 9)), GRID)
