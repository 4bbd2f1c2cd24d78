"""An OLCI frame as candidate pixels of the area's 300 m raster."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.windows import Window

from services.tiler.merge_laws import Pixels, source_code
from shared.geo import TILE_M, Grid, TileIndex
from shared.items.ids import product_number
from shared.items.properties import FrameFacts
from shared.stage import LocalItem

PIXEL_M = 300
BRIGHT = 128


class Frame:
    """One OLCI frame on its EPSG:4326 lattice.

    Args:
        grid: the area's grid.
        frame: the `olci-grid` item with the local files of `radiance`, `view_zenith` and `flags`.
    """

    def __init__(self, grid: Grid, frame: LocalItem) -> None:
        self._grid, self._frame = grid, frame
        properties = frame.item.properties
        self.product = FrameFacts.of(frame.item).product
        self.number = product_number(self.product)
        sensed = datetime.fromisoformat(str(properties["datetime"]))
        self.code = source_code(sensed.weekday(), str(properties["platform"])[-1])

    def pixels(self) -> tuple[slice, slice, Pixels]:
        """Rows and columns of the area's 300 m raster that the frame may meet, and its candidates there."""
        ny, nx = self._grid.shape_px(PIXEL_M)
        west, _, _, north = self._grid.bounds_m
        x = west + (np.arange(nx) + 0.5) * PIXEL_M
        y = north - (np.arange(ny) + 0.5) * PIXEL_M
        to_degrees = Transformer.from_crs(self._grid.crs, "EPSG:4326", always_xy=True)
        longitude, latitude = to_degrees.transform(*np.meshgrid(x, y))
        with rasterio.open(self._frame.paths["radiance"], driver="GTiff") as file:
            a, _, left, _, e, top = file.transform[:6]
            rows = np.floor((latitude - top) / e).astype(np.intp)
            # A frame over the antimeridian goes on beyond 180 degrees east, the area's longitudes do not.
            cols = np.floor((longitude - left) % 360 / a).astype(np.intp)
            inside = (rows >= 0) & (rows < file.height) & (cols >= 0) & (cols < file.width)
            if not inside.any():
                return slice(0), slice(0), _nothing()
            window = Window.from_slices(
                (int(rows[inside].min()), int(rows[inside].max()) + 1),
                (int(cols[inside].min()), int(cols[inside].max()) + 1),
            )
            radiance = np.moveaxis(file.read(window=window), 0, -1)
        view_zenith = self._read("view_zenith", window)
        flags = self._read("flags", window)
        at = (rows - window.row_off).clip(0, window.height - 1), (cols - window.col_off).clip(0, window.width - 1)
        values, zenith = radiance[at], view_zenith[at]
        competes = inside & np.isfinite(values).all(axis=-1) & np.isfinite(zenith)
        bright = (flags[at] & self._bright_mask()) != 0
        half_degrees = np.floor(2 * np.where(competes, zenith, 0)).clip(0, BRIGHT - 1)
        rank = np.where(competes, half_degrees + BRIGHT * bright, 0).astype(np.uint8)
        source = np.where(competes, np.uint8(self.code), np.uint8(0))
        used = np.nonzero(competes.any(axis=1))[0], np.nonzero(competes.any(axis=0))[0]
        if not used[0].size:
            return slice(0), slice(0), _nothing()
        y_, x_ = slice(int(used[0][0]), int(used[0][-1]) + 1), slice(int(used[1][0]), int(used[1][-1]) + 1)
        return y_, x_, Pixels(values[y_, x_], source[y_, x_], rank[y_, x_])

    def _read(self, asset: str, window: Window) -> NDArray[np.generic]:
        with rasterio.open(self._frame.paths[asset], driver="GTiff") as file:
            result: NDArray[np.generic] = file.read(1, window=window)
            return result

    def _bright_mask(self) -> int:
        asset = self._frame.item.assets["flags"]
        flags = dict(zip(asset["landstream:flag_meanings"].split(), asset["landstream:flag_masks"], strict=True))
        return int(flags["bright"])

    def touched(self, y: slice, x: slice, pixels: Pixels) -> list[TileIndex]:
        """Tiles that hold the centre of a competing pixel."""
        rows, cols = np.nonzero(pixels.source)
        tile_rows = ((rows + y.start) * PIXEL_M + PIXEL_M // 2) // TILE_M
        tile_cols = ((cols + x.start) * PIXEL_M + PIXEL_M // 2) // TILE_M
        found = {TileIndex(int(r), int(c)) for r, c in zip(tile_rows, tile_cols, strict=True)}
        return sorted(t for t in found if t.row < self._grid.rows and t.col < self._grid.cols)


def _nothing() -> Pixels:
    return Pixels(np.zeros((0, 0, 21), np.float32), np.zeros((0, 0), np.uint8), np.zeros((0, 0), np.uint8))
