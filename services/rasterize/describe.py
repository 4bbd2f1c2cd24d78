"""Describes a class raster as a STAC item."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from services.rasterize.write_labels import PIXEL_M, stac_classes
from shared.area import Area
from shared.items.item import Item
from shared.stage import NewAsset, NewItem

_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_COPIED = tuple(f"landstream:{n}" for n in ("scene", "product", "reference_year", "campaign", "release"))
_EXTENSIONS = tuple(
    f"https://stac-extensions.github.io/{name}/schema.json" for name in ("projection/v2.0.0", "classification/v2.0.0")
)


def labels_item(
    delivery: Item, area: Area, counts: NDArray[np.int64], polygons: int, attribution: str, path: Path
) -> NewItem:
    """The item of a burned delivery.

    Args:
        delivery: the item of the polygons.
        area: the study area.
        counts: pixels of each value, (256,).
        polygons: how many were burned.
        attribution: the line that the item carries.
        path: the raster.
    """
    p, scheme, grid = delivery.properties, area.labels, area.grid
    ny, nx = grid.shape_px(PIXEL_M)
    fields = {
        "proj:code": grid.crs,
        "proj:shape": [ny, nx],
        "proj:transform": list(grid.transform(PIXEL_M)),
        "gsd": PIXEL_M,
        "data_type": "uint8",
        "nodata": 0,
        "classification:classes": stac_classes(scheme),
    }
    geometry, bbox = _extent(area)
    return NewItem(
        geometry=geometry,
        bbox=bbox,
        properties={name: p[name] for name in _COPIED if name in p}
        | {
            "datetime": p["datetime"],
            "proj:code": grid.crs,
            "landstream:scheme": scheme.scheme,
            "landstream:polygons": polygons,
            "landstream:class_area_m2": {c.code: int(counts[v]) * PIXEL_M**2 for v, c in scheme.values.items()},
            "landstream:unlabelled_area_m2": int(counts[0]) * PIXEL_M**2,
            "landstream:attribution": attribution,
        },
        assets={"labels": NewAsset(path, _COG, ("data", "labels"), f"Classes of {scheme.scheme}", fields)},
        extensions=_EXTENSIONS,
    )


def _extent(area: Area) -> tuple[dict[str, Any], tuple[float, float, float, float]]:
    """The grid's outline and bounds in longitude, latitude (degrees)."""
    west, south, east, north = area.grid.bounds_m
    to_degrees = Transformer.from_crs(area.grid.epsg, 4326, always_xy=True)
    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    ring = [list(to_degrees.transform(x, y)) for x, y in corners]
    bbox = to_degrees.transform_bounds(west, south, east, north, densify_pts=21)
    return {"type": "Polygon", "coordinates": [ring]}, bbox
