"""The pure core: polygons of any CRS to values on a lattice, by the pixel-centre rule; points to their own pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.features import rasterize
from rasterio.transform import Affine
from shapely.geometry import box

from services.rasterize.repair import repair

LONGEST_EDGE_M = 1000.0
"""Edges are cut to this before a change of CRS: a straight line in one is not straight in the other."""

Geometries = NDArray[np.object_]
ValueT = TypeVar("ValueT", np.uint8, np.uint32)


def reproject(geometries: Geometries, source: str, target: str) -> Geometries:
    """Polygons in another CRS, datum shift included.

    Invalid ones are repaired: edges of theirs that are cut would lose what lies beyond a crossing.

    Args:
        geometries: (polygon,), or points alone, in units of `source`.
        source: CRS as `EPSG:n` or WKT.
        target: projected CRS in metres.

    Returns:
        (polygon,); those that the target cannot show are None.
    """
    flat = shapely.force_2d(geometries)
    sound = flat if are_points(flat) else repair(flat)[0]
    transformer = Transformer.from_crs(source, target, always_xy=True)
    if transformer.source_crs == transformer.target_crs:
        return sound
    metre = 1.0 if transformer.source_crs is None or transformer.source_crs.is_projected else 1 / 111_320
    cut = shapely.segmentize(sound, LONGEST_EDGE_M * metre)

    def shift(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = transformer.transform(xy[:, 0], xy[:, 1])
        return np.column_stack([x, y])

    moved = np.asarray(shapely.transform(cut, shift), dtype=object)
    moved[~np.isfinite(shapely.bounds(moved)).all(axis=1)] = None
    return moved


def are_points(geometries: Geometries) -> bool:
    """Return whether geometries, None left aside, are points alone."""
    there = geometries[~shapely.is_missing(geometries)]
    return len(there) > 0 and bool((shapely.get_dimensions(there) == 0).all())


def number_polygons(
    geometries: Geometries, classes: NDArray[np.uint8], bounds_m: tuple[float, float, float, float]
) -> NDArray[np.uint32]:
    """Numbers of the polygons of a delivery on a grid.

    Counted are, from 1 on and in the delivery's order, those that meet the grid: neither the scheme nor how far around
    the grid was read changes a number.

    Args:
        geometries: (polygon,) in the grid's CRS; None and empty ones are not counted.
        classes: (polygon,); a polygon of class 0 is counted, but has no number, as it unlabels what it covers.
        bounds_m: west, south, east, north of the grid.

    Returns:
        uint32 (polygon,): 0 = has none.
    """
    # Whatever meets the grid was read; a bounding box that meets it may be that of a polygon too far for reading.
    meets = shapely.intersects(geometries, box(*bounds_m))
    return np.where(meets & (classes > 0), np.cumsum(meets), 0).astype(np.uint32)


def burn(
    geometries: Geometries,
    values: NDArray[ValueT],
    transform: tuple[float, float, float, float, float, float],
    shape: tuple[int, int],
    strip_px: int = 2048,
) -> Iterator[tuple[int, NDArray[ValueT]]]:
    """Values of a lattice, strip by strip from the north.

    A pixel takes the value of the polygon that holds its centre, or of the point that lies in it; of the later one
    where there are several.

    Args:
        geometries: (polygon,) in the lattice's CRS; None is skipped.
        values: (polygon,), uint8 or uint32; 0 unlabels what it covers.
        transform: (a, b, c, d, e, f) of a north-up lattice.
        shape: (ny, nx) of the lattice.
        strip_px: rows of a strip; changes nothing, save by rounding where an outline runs exactly through a centre.

    Yields:
        (first row, values (y, x) of the same type): 0 = unlabelled.
    """
    bounds = shapely.bounds(geometries)
    for top in range(0, shape[0], strip_px):
        rows = min(strip_px, shape[0] - top)
        north = transform[5] + top * transform[4]
        south = north + rows * transform[4]
        east = transform[2] + shape[1] * transform[0]
        # NaN bounds (None, empty) compare False.
        inside = (bounds[:, 1] <= north) & (bounds[:, 3] >= south) & (bounds[:, 0] <= east)
        inside &= bounds[:, 2] >= transform[2]
        strip = np.zeros((rows, shape[1]), values.dtype)
        shapes = [(geometries[i], int(values[i])) for i in np.flatnonzero(inside)]
        if shapes:
            window = Affine(transform[0], transform[1], transform[2], transform[3], transform[4], north)
            rasterize(shapes, out=strip, transform=window)
        yield top, strip
