"""Bands that are decoded while the tiler walks over a scene from north to south."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.tiler.bands import Bands, Image
from services.tiler.warp import gather
from shared.geo import Grid
from shared.raster.grid import Lattice, Window
from shared.stage import BrokenPicture
from simulator.jp2 import write_jp2

TILE_PX = 192
"""Side of a code-stream tile of a 60 m image."""

X, Y, SHAPE = 600_000, 5_100_000, (900, 500)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Image], np.ndarray]:
    folder = tmp_path_factory.mktemp("bands")
    values = np.random.default_rng(0).integers(1, 4000, (*SHAPE, 2)).astype(np.uint16)
    for band in range(2):
        write_jp2(folder / f"{band}.jp2", values[..., band], 32634, X, Y, 60)
    return [Image(folder / f"{band}.jp2", -1000, 10_000) for band in range(2)], values


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as opened:
        yield opened


class Counting(Bands):
    """Bands that count how often they decode each row."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.decoded: Counter[int] = Counter()

    def begin(self, row: int, rows: int) -> Any:
        self.decoded.update(range(row, row + rows))
        return super().begin(row, rows)

    @property
    def held_rows(self) -> int:
        return sum(len(strip if strip.base is None else strip.base) for _, strip in self._held)


@pytest.mark.parametrize("epsg", [32634, 32635])
def test_each_row_is_decoded_once(images: tuple[list[Image], np.ndarray], pool: ThreadPoolExecutor, epsg: int) -> None:
    x, y = (X, Y) if epsg == 32634 else (138_000, 5_130_000)
    grid = Grid(epsg, x - 3000 // 60 * 60, y + 4980, 26, 16)
    lattice = Lattice("EPSG:32634", X, Y, 60, SHAPE)
    bands = Counting(images[0], lattice, 60, pool)
    ny, nx = grid.shape_px(60)
    seen = 0
    for top in range(0, ny, 100):
        windows = [bands.place(grid, Window(top, left, 100, 90)) for left in range(0, nx, 90)]
        bands.hold(windows)
        for window in windows:
            values = bands.take(window)
            assert np.array_equal(values, gather(images[1], window))
            seen += np.count_nonzero(values[..., 0])
        # The window, its slant in the scene, and the rest of a tile.
        assert bands.held_rows <= 100 + 60 + TILE_PX
    assert seen > SHAPE[0] * SHAPE[1] // 2
    assert set(bands.decoded.values()) == {1}


def test_rows_that_were_dropped_are_decoded_again(
    images: tuple[list[Image], np.ndarray], pool: ThreadPoolExecutor
) -> None:
    grid = Grid(32634, X, Y, 20, 11)
    bands = Counting(images[0], Lattice("EPSG:32634", X, Y, 60, SHAPE), 60, pool)
    for top in (700, 20, 390, 389):
        window = bands.place(grid, Window(top, 10, 50, 30))
        bands.hold([window])
        assert np.array_equal(bands.take(window), images[1][top : top + 50, 10:40])
    outside = bands.place(grid, Window(-500, 0, 30, 30))
    bands.hold([outside])
    assert not bands.take(outside).any()


def test_what_lies_below_the_last_window_is_not_decoded(
    images: tuple[list[Image], np.ndarray], pool: ThreadPoolExecutor
) -> None:
    grid = Grid(32634, X, Y, 20, 11)
    for rows, expected in ((TILE_PX, {*range(TILE_PX)}), (TILE_PX + 1, {*range(2 * TILE_PX)})):
        bands = Counting(images[0], Lattice("EPSG:32634", X, Y, 60, SHAPE), 60, pool)
        bands.expect([bands.place(grid, Window(rows - 9, 10, 9, 30))])
        window = bands.place(grid, Window(0, 10, 9, 30))
        bands.hold([window])
        assert np.array_equal(bands.take(window), images[1][:9, 10:40])
        assert set(bands.decoded) == expected
        below = bands.place(grid, Window(700, 10, 9, 30))
        bands.hold([below])
        assert np.array_equal(bands.take(below), images[1][700:709, 10:40])


def test_a_broken_image_is_said(
    images: tuple[list[Image], np.ndarray], pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    whole = images[0][0].path.read_bytes()
    cut, no_image = tmp_path / "B03_10m.jp2", tmp_path / "B04_10m.jp2"
    cut.write_bytes(whole[: len(whole) // 2])
    no_image.write_bytes(b"no image")
    lattice, grid = Lattice("EPSG:32634", X, Y, 60, SHAPE), Grid(32634, X, Y, 21, 11)
    for path in (cut, no_image):
        bands = Bands([images[0][1], Image(path, -1000, 10_000)], lattice, 60, pool)
        with pytest.raises(BrokenPicture, match=r"is a corrupt JPEG2000 file .*deliver the product again") as error:
            bands.hold([bands.place(grid, Window(0, 0, *SHAPE))])
        assert error.value.file == path.name
    other = Bands(images[0], Lattice("EPSG:32634", X, Y, 60, (900, 501)), 60, pool)
    with pytest.raises(BrokenPicture, match="has 500 x 900 pixels, not those of its item"):
        other.hold([other.place(grid, Window(0, 0, *SHAPE))])


def test_no_error_is_lost_between_the_decoders_threads(pool: ThreadPoolExecutor, tmp_path: Path) -> None:
    """GDAL would decode several code-stream tiles of a strip in threads of its own, and give zeros for the broken."""
    values = np.random.default_rng(0).integers(1, 4000, (200, 400)).astype(np.uint16)
    path = tmp_path / "B03_60m.jp2"
    write_jp2(path, values, 32634, X, Y, 60)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3])
    bands = Bands([Image(path, -1000, 10_000)], Lattice("EPSG:32634", X, Y, 60, values.shape), 60, pool)
    with pytest.raises(BrokenPicture, match="is a corrupt JPEG2000 file"):
        bands.hold([bands.place(Grid(32634, X, Y, 5, 9), Window(0, 0, *values.shape))])
