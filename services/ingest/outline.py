"""Footprints: within their images, and as text."""

from __future__ import annotations

import shapely
from shapely.geometry.base import BaseGeometry

from shared.geo.outline import bbox

TOLERANCE_DEG = 0.02
"""Footprints are given to a few hundred metres; within this a crop's own extent says nothing new."""


def crop(footprint: BaseGeometry, extent: BaseGeometry) -> BaseGeometry:
    """Cut the footprint to a raster's extent; as given where the extent holds it.

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


def bounds_text(geometry: BaseGeometry) -> str:
    """Return the bounds for people: west, south, east, north in degrees."""
    return ", ".join(f"{value:.3f}" for value in bbox(geometry))
