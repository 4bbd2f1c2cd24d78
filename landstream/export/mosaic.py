"""The pixels of an area's mosaic, strip by strip from the north: across sheets, clipped to the AOI."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window as RasterWindow
from shapely.geometry.base import BaseGeometry

from services.inference.item import PIXEL_M, extent_of
from shared.area import Area
from shared.geo import TILE_10M_PX
from shared.geo.outline import project_polygon
from shared.items.item import Item
from shared.items.properties import MapFacts
from shared.items.sheets import SHEET_TILES
from shared.items.stac import asset_key, sha256_of
from shared.raster.aoi import burn_aoi
from shared.raster.cog import Strip
from shared.raster.grid import Lattice, Window
from shared.raster.render import render_true_colour
from shared.store import FolderStore, Store

STRIP_PX = 2 * TILE_10M_PX
"""Rows in memory at a time, where a strip does not end with a sheet."""

SPAN_PX = 16 * TILE_10M_PX
"""Columns that are read of the cube at a time."""

Array = NDArray[Any]


class FineCube(Protocol):
    """What a mosaic reads of a cube."""

    def fine(self, week: str, window: Window) -> Array:
        """uint16 (ny, nx, 4): the 10 m bands, zero outside the grid."""


class Mosaic:
    """Where the mosaic of an area lies, and which of its pixels are inside the AOI.

    Attributes:
        area: the study area.
        extent: the AOI's box in 10 m pixels of the grid, snapped outwards, within the grid.
        lattice: of the extent.
        aoi: in the CRS of the grid.
    """

    def __init__(self, area: Area) -> None:
        self.area, grid = area, area.grid
        self.aoi: BaseGeometry = project_polygon(area.polygon, grid.crs)
        west, south, east, north = self.aoi.bounds
        ny, nx = grid.shape_px(PIXEL_M)
        top = _clamp(math.floor((grid.origin_y_m - north) / PIXEL_M), ny - 1)
        left = _clamp(math.floor((west - grid.origin_x_m) / PIXEL_M), nx - 1)
        bottom = max(top + 1, _clamp(math.ceil((grid.origin_y_m - south) / PIXEL_M), ny))
        right = max(left + 1, _clamp(math.ceil((east - grid.origin_x_m) / PIXEL_M), nx))
        self.extent = Window(top, left, bottom - top, right - left)
        self.lattice = Lattice.of_area(grid, PIXEL_M).window(self.extent)

    def strips(self) -> Iterator[Window]:
        """Yield windows of the mosaic's rows that end where rows of tiles do, so that no chunk is read twice."""
        top = 0
        while top < self.extent.ny:
            end = ((self.extent.y + top) // STRIP_PX + 1) * STRIP_PX - self.extent.y
            rows = min(end, self.extent.ny) - top
            yield Window(top, 0, rows, self.extent.nx)
            top += rows

    def inside(self, strip: Window) -> NDArray[np.bool_]:
        """Return the pixels of a strip that lie inside the AOI: bool (y, x)."""
        return burn_aoi(self.aoi, self.lattice.window(strip))


def _clamp(value: int, most: int) -> int:
    return max(0, min(value, most))


def map_strips(
    mosaic: Mosaic, maps: Sequence[Item], store: Store, asset: str, nodata: int
) -> Iterator[tuple[Strip, NDArray[np.bool_]]]:
    """Yield a raster of the maps, put together and clipped.

    Sheets of one row are on this machine's disk at a time, a strip of them in memory.

    Args:
        mosaic: the area's.
        maps: one for each sheet, of one week.
        store: where their files are.
        asset: name of the asset, a raster of one uint8 band.
        nodata: its nodata value, which is also what lies outside the AOI.

    Yields:
        (strip, bool (y, x): inside the AOI).
    """
    rows: dict[int, list[Item]] = {}
    for item in maps:
        rows.setdefault(MapFacts.of(item).sheet[0], []).append(item)
    held: int | None = None
    with ExitStack() as stack:
        sheets: list[Sheet] = []
        opened = stack.enter_context(ExitStack())
        for strip in mosaic.strips():
            row = _sheet_row(mosaic, strip)
            if row != held:
                opened.close()
                sheets = [opened.enter_context(Sheet(i, mosaic, store, asset)) for i in rows.get(row, ())]
                held = row
            inside = mosaic.inside(strip)
            values = np.full((strip.ny, strip.nx), nodata, np.uint8)
            for sheet in sheets:
                sheet.paste(values, strip)
            values[~inside] = nodata
            yield Strip(values, strip.y), inside


def _sheet_row(mosaic: Mosaic, strip: Window) -> int:
    return (mosaic.extent.y + strip.y) // (SHEET_TILES * TILE_10M_PX)


class Sheet:
    """A raster of one sheet, open while its rows are read."""

    def __init__(self, item: Item, mosaic: Mosaic, store: Store, asset: str) -> None:
        self._item, self._mosaic, self._store, self._asset = item, mosaic, store, asset
        self._extent = extent_of(MapFacts.of(item).sheet, mosaic.area.grid)
        self._stack = ExitStack()

    def __enter__(self) -> Sheet:
        path = self._fetch()
        self._file = self._stack.enter_context(rasterio.open(path, driver="GTiff"))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _fetch(self) -> Path:
        """Return the local file: in a folder the artifact itself, of a remote store a copy for the time being."""
        key = asset_key(self._item, self._asset)
        if isinstance(self._store, FolderStore):
            return Path(self._store.location) / key
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="landstream-export-"))
        path = Path(folder) / "sheet.tif"
        self._store.fetch(key, path, sha256_of(self._item.assets[self._asset]))
        return path

    def paste(self, values: Array, strip: Window) -> None:
        """Put the sheet's pixels into a strip of the mosaic, (y, x), in place."""
        whole = self._mosaic.extent
        top, left = whole.y + strip.y, whole.x + strip.x
        y0, y1 = max(top, self._extent.y), min(top + strip.ny, self._extent.y + self._extent.ny)
        x0, x1 = max(left, self._extent.x), min(left + strip.nx, self._extent.x + self._extent.nx)
        if y0 < y1 and x0 < x1:
            window = RasterWindow(x0 - self._extent.x, y0 - self._extent.y, x1 - x0, y1 - y0)
            values[y0 - top : y1 - top, x0 - left : x1 - left] = self._file.read(1, window=window)


def true_colour_strips(mosaic: Mosaic, cube: FineCube, week: str) -> Iterator[Strip]:
    """Yield the true colour of a week, clipped: bands 1 to 3 of each strip; 0 = not observed or outside the AOI."""
    for strip in mosaic.strips():
        picture = np.zeros((strip.ny, strip.nx, 3), np.uint8)
        for x in range(0, strip.nx, SPAN_PX):
            span = Window(mosaic.extent.y + strip.y, mosaic.extent.x + x, strip.ny, min(SPAN_PX, strip.nx - x))
            picture[:, x : x + span.nx] = render_true_colour(cube.fine(week, span))
        picture[~mosaic.inside(strip)] = 0
        for band in range(3):
            yield Strip(picture[..., band], strip.y, band + 1)
