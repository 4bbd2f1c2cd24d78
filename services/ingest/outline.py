"""Draws outlines on the globe: footprints across the antimeridian and around a pole, extents of rasters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.affinity import translate
from shapely.geometry import Polygon, box, mapping
from shapely.geometry.base import BaseGeometry

TOLERANCE_DEG = 0.02
"""Footprints are given to a few hundred metres; within this a crop's own extent says nothing new."""


def outline(longitudes_deg: NDArray[np.float64], latitudes_deg: NDArray[np.float64]) -> BaseGeometry:
    """A polygon from a ring of positions, cut at the antimeridian and closed over a pole that it goes around.

    Args:
        longitudes_deg: (point,), any branch.
        latitudes_deg: (point,).

    Returns:
        A valid Polygon or MultiPolygon within -180..180.

    Raises:
        ValueError: fewer than three positions, not on the globe, or no area.
    """
    if len(longitudes_deg) < 3 or np.abs(latitudes_deg).max() > 90 or np.abs(longitudes_deg).max() > 360:
        raise ValueError("the footprint is no ring of positions in degrees")
    around = np.append(longitudes_deg, longitudes_deg[0])
    unwrapped = np.unwrap(around, period=360.0)
    ring = list(zip(unwrapped[:-1], latitudes_deg, strict=True))
    if abs(unwrapped[-1] - unwrapped[0]) > 180:
        pole = 90.0 if latitudes_deg.mean() > 0 else -90.0
        ring += [(unwrapped[-1], latitudes_deg[0]), (unwrapped[-1], pole), (unwrapped[0], pole)]
    whole = shapely.make_valid(Polygon(ring))
    pieces = []
    for turn in (-1, 0, 1):
        piece = shapely.intersection(whole, box(-180 + 360 * turn, -90, 180 + 360 * turn, 90))
        pieces.append(translate(piece, -360.0 * turn))
    parts = [p for piece in pieces for p in shapely.get_parts(piece) if p.geom_type in {"Polygon", "MultiPolygon"}]
    union = shapely.union_all([p for p in parts if p.area > 0])
    if union.is_empty:
        raise ValueError("the footprint has no area")
    return shapely.orient_polygons(union)


def raster_outline(epsg: int, transform: Sequence[float], shape: tuple[int, int]) -> BaseGeometry:
    """The extent of a north-up raster in longitude, latitude (degrees).

    Args:
        epsg: its CRS.
        transform: (a, b, c, d, e, f) as `proj:transform`.
        shape: (ny, nx).
    """
    west, north = transform[2], transform[5]
    extent = box(west, north + transform[4] * shape[0], west + transform[0] * shape[1], north)
    return bounds_outline(f"EPSG:{epsg}", extent.bounds)


def bounds_outline(crs: str, bounds: Sequence[float]) -> BaseGeometry:
    """A box of any CRS (west, south, east, north in its units) in longitude, latitude (degrees).

    Raises:
        ValueError: the box lies outside what the CRS can say.
    """
    west, south, east, north = bounds
    ring = shapely.get_coordinates(box(west, south, east, north).exterior)
    steps = np.linspace(0, 1, 21)[:-1, np.newaxis]
    edge = np.concatenate([start + (end - start) * steps for start, end in pairwise(ring)])
    longitudes, latitudes = Transformer.from_crs(crs, 4326, always_xy=True).transform(edge[:, 0], edge[:, 1])
    if not (np.isfinite(longitudes).all() and np.isfinite(latitudes).all()):
        raise ValueError(f"the bounds {tuple(bounds)} lie outside {crs}")
    return outline(np.asarray(longitudes), np.asarray(latitudes))


def crop(footprint: BaseGeometry, extent: BaseGeometry) -> BaseGeometry:
    """The footprint within a raster's extent; as given where the extent holds it.

    Raises:
        ValueError: they do not touch.
    """
    if extent.buffer(TOLERANCE_DEG).contains(footprint):
        return footprint
    common = footprint.intersection(extent)
    polygons = [p for p in shapely.get_parts(common) if p.geom_type == "Polygon" and p.area > 0]
    if not polygons:
        raise ValueError("the footprint of the metadata does not touch the images")
    return shapely.orient_polygons(shapely.union_all(polygons))


def geojson(geometry: BaseGeometry) -> Mapping[str, Any]:
    """GeoJSON with plain lists."""
    result: Mapping[str, Any] = json.loads(json.dumps(mapping(geometry)))
    return result


def bbox(geometry: BaseGeometry) -> tuple[float, float, float, float]:
    """west, south, east, north in degrees; west > east where it crosses the antimeridian, as GeoJSON wants."""
    west, south, east, north = geometry.bounds
    if geometry.geom_type == "MultiPolygon" and west == -180 and east == 180:
        parts = [p.bounds for p in shapely.get_parts(geometry)]
        eastern = [p for p in parts if p[2] == 180 and p[0] > -180]
        western = [p for p in parts if p[0] == -180 and p[2] < 180]
        if eastern and western:
            return min(p[0] for p in eastern), south, max(p[2] for p in western), north
    return west, south, east, north


def describe(geometry: BaseGeometry) -> str:
    """Bounds for people: west, south, east, north in degrees."""
    return ", ".join(f"{value:.3f}" for value in bbox(geometry))
