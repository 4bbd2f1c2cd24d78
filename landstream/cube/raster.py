"""Windows of the cube as GeoTIFFs, and a whole week as a mosaic of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import numpy as np
from shapely.geometry import box

from landstream.cube.layers import Layer
from landstream.vrt import add_source, begin_vrt, write_vrt
from shared.area import Area
from shared.cube import Cube
from shared.cube.cube import split_week
from shared.cube.windows import read_each
from shared.geo.outline import project_polygon
from shared.items.stac import attribution
from shared.raster.cog import Strip, write_cog
from shared.raster.grid import Lattice, Window

PIECE_CHUNKS: Final = 8
"""Chunks along a side of a mosaic's piece: a country has a thousand pieces, and no chunk is in two."""

NEAR_DEG: Final = 0.1
"""Around the grid, of which a box is cut to what is near."""

_VRT_TYPES: Final = {"uint8": "Byte", "uint16": "UInt16", "float32": "Float32"}


class Elsewhere(ValueError):
    """Raised when a box, or a point, shares nothing with the grid, or is none."""


def window_of_box(area: Area, layer: Layer, bounds: tuple[float, float, float, float]) -> Window:
    """Return the pixels of the grid that a box touches.

    Args:
        area: the area.
        layer: whose pixels.
        bounds: west, south, east, north in degrees.

    Raises:
        Elsewhere: there are none.
    """
    west, south, east, north = bounds
    shown = ",".join(f"{degrees:g}" for degrees in bounds)
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise Elsewhere(f"{shown}: is not a box of west,south,east,north in degrees")
    lattice = layer.lattice(area)
    # A projection cannot say what lies far from its own place.
    near = box(*bounds).intersection(lattice.outline().buffer(NEAR_DEG))
    if not near.area:
        raise Elsewhere(f"the box {shown} lies outside the grid of {area.name}")
    west, south, east, north = project_polygon(near, area.grid.crs).bounds
    (ny, nx), pixel = lattice.shape, lattice.pixel
    top, left = max(0, math.floor((lattice.y - north) / pixel)), max(0, math.floor((west - lattice.x) / pixel))
    bottom, right = min(ny, math.ceil((lattice.y - south) / pixel)), min(nx, math.ceil((east - lattice.x) / pixel))
    if top >= bottom or left >= right:
        raise Elsewhere(f"the box {shown} lies outside the grid of {area.name}")
    return Window(top, left, bottom - top, right - left)


def write_window(cube: Cube, area: Area, layer: Layer, week: str, window: Window, path: Path) -> None:
    """Write a window as a cloud-optimised GeoTIFF, some rows of chunks in memory at a time.

    Reflectance is `value * scale + offset`, as the bands say; 0 = not observed clear. Radiances are as they are, NaN =
    not observed.
    """
    when = f", {week}" if layer.weekly else ""
    source = attribution([week[:4]]) if layer.weekly else area.labels.attribution
    write_cog(
        path,
        layer.lattice(area).window(window),
        layer.bands,
        _strips(cube, layer, week, window),
        layer.encoding,
        title=f"{area.name}, {layer.name}{when}",
        attribution=source,
    )


def _strips(cube: Cube, layer: Layer, week: str, window: Window) -> Iterator[Strip]:
    rows = list(_rows(window, layer.chunk_m // layer.pixel_m))
    for part, (values,) in zip(rows, read_each([layer.part(cube, week, part)] for part in rows), strict=True):
        for band, pixels in enumerate(np.moveaxis(np.atleast_3d(values), -1, 0), start=1):
            yield Strip(np.ascontiguousarray(pixels), part.y - window.y, band)


def _rows(window: Window, side: int) -> Iterator[Window]:
    """Divide a window into rows of chunks with so many pixels along a side."""
    top, end = window.y, window.y + window.ny
    while top < end:
        below = min(end, (top // side + 1) * side)
        yield Window(top, window.x, below - top, window.nx)
        top = below


def write_week(cube: Cube, area: Area, layer: Layer, week: str, folder: Path) -> Iterator[Path]:
    """Write a week as pieces of some chunks, where the cube holds any, and a VRT that joins them.

    Yields:
        Each file as soon as it is there, the VRT last.
    """
    lattice = layer.lattice(area)
    stem = f"{area.name}_{layer.name}" + (f"_{week}" if layer.weekly else "")
    pieces: dict[str, Window] = {}
    for window in _pieces(cube, layer, week, lattice):
        side = PIECE_CHUNKS * layer.chunk_m // layer.pixel_m
        name = f"{stem}_r{window.y // side:02d}c{window.x // side:02d}.tif"
        write_window(cube, area, layer, week, window, folder / name)
        pieces[name] = window
        yield folder / name
    mosaic = folder / f"{stem}.vrt"
    _write_vrt(mosaic, layer, lattice, pieces)
    yield mosaic


def _pieces(cube: Cube, layer: Layer, week: str, lattice: Lattice) -> Iterator[Window]:
    """Yield the windows of the pieces that hold a stored chunk, by row and column."""
    if layer.weekly:
        year, index = split_week(week)
        path = layer.path.format(year=year)
        chunks = [c[1:3] for c in cube.chunks(path) if c[0] == index] if cube.array(path) is not None else []
    else:
        chunks = [c[:2] for c in cube.chunks(layer.path)] if cube.array(layer.path) is not None else []
    side, (ny, nx) = PIECE_CHUNKS * layer.chunk_m // layer.pixel_m, lattice.shape
    for row, col in sorted({(int(r) // PIECE_CHUNKS, int(c) // PIECE_CHUNKS) for r, c in chunks}):
        y, x = row * side, col * side
        yield Window(y, x, min(side, ny - y), min(side, nx - x))


def _write_vrt(path: Path, layer: Layer, lattice: Lattice, pieces: dict[str, Window]) -> None:
    root = begin_vrt(lattice)
    for number, band in enumerate(layer.bands, start=1):
        kind = _VRT_TYPES[layer.encoding.dtype]
        element = ElementTree.SubElement(root, "VRTRasterBand", dataType=kind, band=str(number))
        ElementTree.SubElement(element, "Description").text = band.description
        ElementTree.SubElement(element, "NoDataValue").text = str(layer.encoding.nodata)
        ElementTree.SubElement(element, "Scale").text = repr(band.scale)
        ElementTree.SubElement(element, "Offset").text = repr(band.offset)
        for name, window in pieces.items():
            add_source(element, "SimpleSource", name, number, (window.ny, window.nx), (window.y, window.x))
    write_vrt(path, root)
