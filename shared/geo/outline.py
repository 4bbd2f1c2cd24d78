"""Outlines on the globe: rings of positions as valid polygons in longitude and latitude, and their GeoJSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.affinity import translate
from shapely.geometry import Polygon, box, mapping
from shapely.geometry.base import BaseGeometry

LONGEST_EDGE_DEG = 0.001
"""Edges are cut to this before a change of CRS: a parallel is no straight line in UTM; 0.1 mm are left of the bend."""

Bbox = tuple[float, float, float, float]
"""west, south, east, north."""


def polygon(longitudes_deg: NDArray[np.float64], latitudes_deg: NDArray[np.float64]) -> BaseGeometry:
    """Draw a polygon from a ring of positions, cut at the antimeridian and closed over a pole that it goes around.

    Args:
        longitudes_deg: (point,), any branch.
        latitudes_deg: (point,).

    Returns:
        A valid Polygon or MultiPolygon within -180..180, counterclockwise.

    Raises:
        ValueError: fewer than three positions, not on the globe, or no area.
    """
    if len(longitudes_deg) < 3 or np.abs(latitudes_deg).max() > 90 or np.abs(longitudes_deg).max() > 360:
        raise ValueError("the footprint is not a ring of positions in degrees")
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


def project(transformer: Transformer, geometry: BaseGeometry) -> BaseGeometry:
    """Move a geometry's vertices to another CRS."""

    def move(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transformer.transform(points[:, 0], points[:, 1]))

    return shapely.transform(geometry, move)


def project_polygon(geometry: BaseGeometry, crs: str) -> BaseGeometry:
    """Move a polygon in longitude, latitude (degrees) to another CRS, its edges cut so that they may bend.

    Args:
        geometry: Polygon or MultiPolygon.
        crs: `EPSG:n`.
    """
    return project(Transformer.from_crs(4326, crs, always_xy=True), geometry.segmentize(LONGEST_EDGE_DEG))


def geojson(geometry: BaseGeometry) -> Mapping[str, Any]:
    """Return a geometry as GeoJSON with plain lists."""
    result: Mapping[str, Any] = json.loads(json.dumps(mapping(geometry)))
    return result


def bbox(geometry: BaseGeometry) -> Bbox:
    """Return west, south, east, north in degrees; west > east across the antimeridian, as GeoJSON wants it."""
    west, south, east, north = geometry.bounds
    if geometry.geom_type == "MultiPolygon" and west == -180 and east == 180:
        parts = [p.bounds for p in shapely.get_parts(geometry)]
        eastern = [p for p in parts if p[2] == 180 and p[0] > -180]
        western = [p for p in parts if p[0] == -180 and p[2] < 180]
        if eastern and western:
            return min(p[0] for p in eastern), south, max(p[2] for p in western), north
    return west, south, east, north
