"""The mosaic of an area: across sheets, clipped to the AOI, a strip of it in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from pyproj import Transformer

from landstream.export.mosaic import Mosaic, map_strips, true_colour_strips
from services.inference.item import extent_of
from shared.area import Area
from shared.area.area import parse_area
from shared.items.item import Item
from shared.items.properties import MapFacts
from shared.raster.grid import Lattice, Window
from shared.raster.render import render_true_colour
from shared.store import FolderStore

CORNER = 8192
"""Rows and columns of the sheet in the north-west: four sheets meet where it ends."""

GRID = {"epsg": 32634, "origin_x_m": 600_000, "origin_y_m": 5_100_000, "rows": 34, "cols": 35}


def area_around(x_px: int, y_px: int, radius_px: int) -> Area:
    """An area whose AOI is a disk around a pixel of the grid."""
    centre = GRID["origin_x_m"] + 10 * x_px, GRID["origin_y_m"] - 10 * y_px
    ring = shapely.get_coordinates(shapely.Point(centre).buffer(10 * radius_px).exterior)
    degrees = Transformer.from_crs(GRID["epsg"], 4326, always_xy=True).transform(ring[:, 0], ring[:, 1])
    aoi = shapely.Polygon(np.column_stack(degrees))
    told = {"name": "disk", "aoi": shapely.geometry.mapping(aoi), "grid": GRID, "labels": "clc-level1"}
    return parse_area({**told, "label_year": 2018, "years": [2018]}, "test")


def value_at(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """What the maps show: a pattern over the whole grid."""
    return ((y // 7 + x // 5) % 5 + 1).astype(np.uint8)


@pytest.fixture(scope="module")
def disk() -> Area:
    return area_around(CORNER + 3, CORNER - 4, 60)


def map_of(sheet: tuple[int, int], area: Area, store: FolderStore, scratch: Path) -> Item:
    """A map whose pixels near the corner follow the pattern."""
    extent = extent_of(sheet, area.grid)
    lattice = Lattice.of_area(area.grid, 10).window(extent)
    path = scratch / "sheet.tif"
    options = {"driver": "GTiff", "dtype": "uint8", "count": 1, "nodata": 0, "tiled": True, "sparse_ok": True}
    with rasterio.open(
        path, "w", height=extent.ny, width=extent.nx, crs=lattice.crs, transform=lattice.transform, **options
    ) as file:
        top, left = max(CORNER - 200 - extent.y, 0), max(CORNER - 200 - extent.x, 0)
        ny, nx = min(400, extent.ny - top), min(400, extent.nx - left)
        y, x = np.ogrid[extent.y + top : extent.y + top + ny, extent.x + left : extent.x + left + nx]
        file.write(value_at(y, x), 1, window=((top, top + ny), (left, left + nx)))
    name = f"m{sheet[0]}{sheet[1]}"
    key = f"artifacts/land-cover-maps/2018-W23/{name}/land_cover.tif"
    store.put(key, path)
    facts = MapFacts(sheet=sheet, ledger="", model="m", observed_percent=0, classes={}, attribution="")
    said = {"id": f"{name}--v2-0000000a", "collection": "land-cover-maps", "properties": facts.properties()}
    return Item({**said, "assets": {"land_cover": {"href": f"../../../{key}"}}}, "2018-W23")


def test_the_extent_is_the_aoi_snapped_outwards(disk: Area) -> None:
    mosaic = Mosaic(disk)
    assert mosaic.extent == Window(CORNER - 64, CORNER - 57, 120, 120)
    west, south, east, north = mosaic.lattice.bounds
    aoi = mosaic.aoi.bounds
    assert west <= aoi[0] + 0.01
    assert south <= aoi[1] + 0.01
    assert east >= aoi[2] - 0.01
    assert north >= aoi[3] - 0.01


def test_an_extent_stays_within_the_grid() -> None:
    mosaic = Mosaic(area_around(0, 0, 700))
    assert (mosaic.extent.y, mosaic.extent.x) == (0, 0)
    assert mosaic.extent.ny <= 701
    far = Mosaic(area_around(35 * 256 + 500, 34 * 256 + 500, 100))
    assert (far.extent.ny, far.extent.nx) == (1, 1)


def test_strips_cover_each_row_once_and_end_with_tiles(disk: Area) -> None:
    mosaic = Mosaic(area_around(4000, 4000, 900))
    strips = list(mosaic.strips())
    assert [s.y for s in strips] == [0, *np.cumsum([s.ny for s in strips])[:-1].tolist()]
    assert sum(s.ny for s in strips) == mosaic.extent.ny
    assert all((mosaic.extent.y + s.y + s.ny) % 256 == 0 for s in strips[:-1])
    assert max(s.ny for s in strips) <= 512


def test_four_sheets_become_one_without_a_seam(disk: Area, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    maps = [map_of(sheet, disk, store, tmp_path) for sheet in ((0, 0), (0, 1), (1, 0), (1, 1))]
    mosaic = Mosaic(disk)
    whole = Window(0, 0, mosaic.extent.ny, mosaic.extent.nx)
    inside = mosaic.inside(whole)
    assert 0.7 < inside.mean() < 0.8, "a disk in its box"
    y, x = np.ogrid[mosaic.extent.slices]
    expected = value_at(y, x) * inside
    strips = [strip for strip, _ in map_strips(mosaic, maps, store, "land_cover", 0)]
    assert len(strips) == 2, "the strip ends where the sheets do"
    assert (np.concatenate([s.values for s in strips]) == expected).all()
    three = [strip.values for strip, _ in map_strips(mosaic, maps[:3], store, "land_cover", 255)]
    missing = np.concatenate(three)
    assert (missing[CORNER - mosaic.extent.y :, CORNER - mosaic.extent.x :] == 255).all(), "a sheet without a map"
    assert (missing[~inside] == 255).all()


def test_true_colour_is_clipped_too(disk: Area) -> None:
    mosaic = Mosaic(disk)
    rng = np.random.default_rng(0)
    stored = rng.integers(0, 3000, (mosaic.extent.ny, mosaic.extent.nx, 4)).astype(np.uint16)

    class Cube:
        def fine(self, week: str, window: Window) -> np.ndarray:
            top, left = window.y - mosaic.extent.y, window.x - mosaic.extent.x
            return stored[top : top + window.ny, left : left + window.nx]

    picture = np.zeros((3, mosaic.extent.ny, mosaic.extent.nx), np.uint8)
    for strip in true_colour_strips(mosaic, Cube(), "2018-W23"):
        picture[strip.band - 1, strip.top : strip.top + len(strip.values)] = strip.values
    inside = mosaic.inside(Window(0, 0, mosaic.extent.ny, mosaic.extent.nx))
    assert (picture == np.moveaxis(render_true_colour(stored) * inside[..., None], -1, 0)).all()
