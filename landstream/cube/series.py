"""A point of the cube over its weeks, as a table."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from landstream.cube.layers import Layer, layer_of
from landstream.cube.raster import Elsewhere
from shared.area import Area
from shared.cube import Cube
from shared.cube.windows import read_each
from shared.items.weeks import week_bounds
from shared.raster.grid import Lattice, Window

LAYERS = ("10m", "20m", "60m", "300m")


def columns_of(area: Area) -> list[str]:
    """Return the columns of a series: the week, its Monday, then a column for each band."""
    return ["week", "monday", *(band.description for name in LAYERS for band in layer_of(area, name).bands)]


def series(cube: Cube, area: Area, longitude: float, latitude: float) -> Iterator[list[str]]:
    """Yield the rows of a point: reflectances and radiances, empty where nothing was observed; weeks with any alone.

    Args:
        cube: the cube.
        area: its area.
        longitude: in degrees.
        latitude: in degrees.

    Raises:
        Elsewhere: the point lies outside the grid.
    """
    x, y = Transformer.from_crs(4326, area.grid.crs, always_xy=True).transform(longitude, latitude)
    west, south, east, north = area.grid.bounds_m
    if not (west <= x < east and south < y <= north):
        raise Elsewhere(f"the point {longitude},{latitude} lies outside the grid of {area.name}")
    layers = [layer_of(area, name) for name in LAYERS]
    pixels = [_pixel(layer.lattice(area), x, y) for layer in layers]
    weeks = cube.weeks()
    wanted = ([layer.part(cube, week, at) for layer, at in zip(layers, pixels, strict=True)] for week in weeks)
    for week, found in zip(weeks, read_each(wanted), strict=True):
        values = [text for layer, pixel in zip(layers, found, strict=True) for text in _values(layer, pixel[0, 0])]
        if any(values):
            yield [week, week_bounds(week)[0].date().isoformat(), *values]


def _pixel(lattice: Lattice, x: float, y: float) -> Window:
    return Window(math.floor((lattice.y - y) / lattice.pixel), math.floor((x - lattice.x) / lattice.pixel), 1, 1)


def _values(layer: Layer, pixel: NDArray[Any]) -> Iterator[str]:
    for value, band in zip(pixel, layer.bands, strict=True):
        yield "" if _is_nodata(value, layer) else f"{float(value) * band.scale + band.offset:.6g}"


def _is_nodata(value: Any, layer: Layer) -> bool:
    return bool(np.isnan(value)) if layer.encoding.dtype == "float32" else value == layer.encoding.nodata


def write_table(file: TextIO, header: Sequence[str], rows: Iterator[list[str]]) -> int:
    """Write a table as CSV; how many rows."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    count = 0
    for row in rows:
        writer.writerow(row)
        count += 1
    return count
