"""The pure core: polygons of any CRS to values on a lattice, by the pixel-centre rule; points to their own pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import box

from services.rasterize.kernels import fill
from services.rasterize.repair import repair
from shared.threads import on_parts

LONGEST_EDGE_M = 1000.0
"""Edges are cut to this before a change of CRS: a straight line in one is not straight in the other."""

STRIPE_PX: Final = 256
"""Rows that one thread fills at a time."""

Geometries = NDArray[np.object_]
Transform = tuple[float, float, float, float, float, float]


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
    values: NDArray[np.uint32],
    transform: Transform,
    shape: tuple[int, int],
    strip_px: int = 2048,
) -> Iterator[tuple[int, NDArray[np.uint32]]]:
    """Values of a lattice, strip by strip from the north.

    A pixel takes the value of the polygon that holds its centre, or of the point that lies in it; of the later one
    where there are several. They are the pixels of GDAL's `rasterize`, of the whole lattice at once.

    Args:
        geometries: (polygon,) in the lattice's CRS, or points alone; None is skipped.
        values: (polygon,); 0 unlabels what it covers.
        transform: (a, 0, c, 0, e, f) of a north-up lattice.
        shape: (ny, nx) of the lattice.
        strip_px: rows of a strip; changes nothing.

    Yields:
        (first row, values (y, x)): 0 = unlabelled.
    """
    parts, whole = shapely.get_parts(geometries, return_index=True)
    there = ~shapely.is_empty(parts)
    parts, values = parts[there], values[whole[there]]
    draw = _draw_points if are_points(parts) else _draw_polygons
    south, north = _rows(shapely.bounds(parts)[:, [1, 3]], transform).T
    for top in range(0, shape[0], strip_px):
        strip = np.zeros((min(strip_px, shape[0] - top), shape[1]), np.uint32)
        within = (north <= top + len(strip)) & (south >= top)
        draw(strip, top, parts[within], values[within], transform)
        yield top, strip


def _draw_points(
    strip: NDArray[np.uint32], top: int, points: Geometries, values: NDArray[np.uint32], transform: Transform
) -> None:
    xy = shapely.get_coordinates(points)
    columns, rows = np.floor(_columns(xy[:, 0], transform)), np.floor(_rows(xy[:, 1], transform)) - top
    inside = (rows >= 0) & (rows < len(strip)) & (columns >= 0) & (columns < strip.shape[1])
    strip[rows[inside].astype(np.int64), columns[inside].astype(np.int64)] = values[inside]


def _draw_polygons(
    strip: NDArray[np.uint32], top: int, polygons: Geometries, values: NDArray[np.uint32], transform: Transform
) -> None:
    if not len(polygons):
        return
    _, xy, offsets = shapely.to_ragged_array(polygons)
    rings, parts = (offset.astype(np.int64) for offset in offsets)
    columns, rows = _columns(xy[:, 0], transform), _rows(xy[:, 1], transform)

    def fill_stripe(stripe: slice) -> None:
        fill(strip[stripe], top + stripe.start, columns, rows, rings, parts, values)

    on_parts(len(strip), STRIPE_PX, fill_stripe)


def _columns(x: NDArray[np.float64], transform: Transform) -> NDArray[np.float64]:
    """Columns of a lattice, with fraction, by GDAL's own arithmetic (`GDALInvGeoTransform`)."""
    return -transform[2] / transform[0] + x * (1.0 / transform[0])


def _rows(y: NDArray[np.float64], transform: Transform) -> NDArray[np.float64]:
    """Rows of a lattice, with fraction, likewise."""
    return -transform[5] / transform[4] + y * (1.0 / transform[4])
