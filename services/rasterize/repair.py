"""The pure core: outlines that cross themselves made valid, with all the area that they enclose."""

from __future__ import annotations

from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

_AREAL: Final = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)


def repair(geometries: NDArray[np.object_]) -> tuple[NDArray[np.object_], int]:
    """Make what a layer holds valid polygons.

    Each lobe of an outline that crosses itself counts, and what outlines enclose twice is covered, not a hole.

    Args:
        geometries: (feature,), of any type; None where a feature has none.

    Returns:
        (feature,) valid Polygons, MultiPolygons, or None for what has no area; how many of them were invalid.
    """
    areal = np.isin(shapely.get_type_id(geometries), _AREAL)
    valid = shapely.is_valid(geometries)
    odd = np.flatnonzero(~(areal & valid))
    result = geometries.copy()
    for i in odd:
        result[i] = _polygons(geometries[i])
    return result, int((~valid & (shapely.get_dimensions(geometries) == 2)).sum())


def _polygons(geometry: shapely.Geometry | None) -> shapely.Geometry | None:
    if geometry is None:
        return None
    # The other method of GEOS makes holes of what is enclosed twice.
    sound = shapely.make_valid(geometry, method="structure", keep_collapsed=False)
    parts = [p for p in shapely.get_parts(shapely.get_parts(sound)) if p.geom_type == "Polygon" and not p.is_empty]
    return shapely.union_all(parts) if parts else None
