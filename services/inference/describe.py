"""Describe a map in STAC: where it lies, what its values mean, how much of what it shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pyproj import Transformer

from services.inference.blend import CONFIDENCE_NODATA, TILE_PX, Extent
from shared.area import Area, LabelScheme
from shared.geo import Grid
from shared.items.catalogue import SHEET_TILES
from shared.items.keys import rfc3339, week_bounds
from shared.stage.declare import Job, NewAsset

CLASSIFICATION = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"
PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
EXTENSIONS = (CLASSIFICATION, PROJECTION)
COG = "image/tiff; application=geotiff; profile=cloud-optimized"
LAND_COVER, CONFIDENCE, QUICKLOOK = "land_cover.tif", "confidence.tif", "quicklook.png"

Array = npt.NDArray[Any]


def describe(area: Area, job: Job, model_id: str, extent: Extent, values: Array) -> dict[str, Any]:
    """The properties of a map's item: only what its inputs determine.

    Args:
        area: its grid and classes.
        job: whose result the map is.
        model_id: id of the model's item.
        extent: the sheet, clipped to the grid.
        values: uint8 (ny, nx), 0 = not observed.
    """
    start, end = week_bounds(job.week)
    return {
        "datetime": None,
        "start_datetime": rfc3339(start),
        "end_datetime": rfc3339(end),
        "title": f"Land cover of {area.name}, {job.week}, sheet {job.parameters['sheet']}",
        "gsd": 10,
        "proj:code": area.grid.crs,
        "proj:shape": [extent.ny, extent.nx],
        "proj:transform": list(transform_of(extent, area.grid)),
        "landstream:sheet": list(job.parameters["sheet"]),
        "landstream:ledger": job.parameters["ledger"],
        "landstream:model": model_id,
        "landstream:observed_percent": round(100 * float(np.count_nonzero(values)) / values.size, 3),
        "landstream:classes": areas_of(values, area.labels),
        "landstream:attribution": attribute(job.week, area),
    }


def describe_assets(folder: Path, scheme: LabelScheme) -> dict[str, NewAsset]:
    """The assets of a map, as `write_map` wrote them."""
    classes = {"classification:classes": classes_of(scheme), "nodata": 0, "data_type": "uint8"}
    share = {"nodata": CONFIDENCE_NODATA, "data_type": "uint8", "unit": "%"}
    return {
        "land_cover": NewAsset(folder / LAND_COVER, COG, ("data",), "Land cover", classes),
        "confidence": NewAsset(folder / CONFIDENCE, COG, ("data",), "Share of the chosen class", share),
        "quicklook": NewAsset(folder / QUICKLOOK, "image/png", ("overview", "thumbnail"), "Land cover, drawn"),
    }


def extent_of(sheet: tuple[int, int], grid: Grid) -> Extent:
    """A sheet clipped to the grid, in 10 m pixels."""
    side = SHEET_TILES * TILE_PX
    y, x = sheet[0] * side, sheet[1] * side
    return Extent(y, x, min(side, grid.rows * TILE_PX - y), min(side, grid.cols * TILE_PX - x))


def transform_of(extent: Extent, grid: Grid) -> tuple[float, ...]:
    """Six affine coefficients of a rectangle at 10 m."""
    a, b, c, d, e, f = grid.transform(10)
    return a, b, c + extent.x * a, d, e, f + extent.y * e


def outline(extent: Extent, grid: Grid) -> tuple[dict[str, Any], tuple[float, float, float, float]]:
    """A rectangle as GeoJSON polygon in longitude, latitude (degrees, counterclockwise), and its bbox.

    Sides are densified: a straight side of the grid is bent in degrees.
    """
    a, _, c, _, e, f = transform_of(extent, grid)
    west, north, east, south = c, f, c + extent.nx * a, f + extent.ny * e
    along = np.linspace(0, 1, 9)[:-1]
    xs = np.concatenate(
        [west + along * (east - west), 0 * along + east, east - along * (east - west), 0 * along + west]
    )
    ys = np.concatenate(
        [0 * along + south, south + along * (north - south), 0 * along + north, north - along * (north - south)]
    )
    lon, lat = Transformer.from_crs(grid.epsg, 4326, always_xy=True).transform(xs, ys)
    ring = [[round(float(x), 7), round(float(y), 7)] for x, y in zip(lon, lat, strict=True)]
    lons, lats = [p[0] for p in ring], [p[1] for p in ring]
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}, (min(lons), min(lats), max(lons), max(lats))


def classes_of(scheme: LabelScheme) -> list[dict[str, Any]]:
    """`classification:classes` of a scheme, with the value for nodata."""
    empty = {"value": 0, "name": "not-observed", "title": "Not observed", "nodata": True}
    return [
        empty,
        *(
            {
                "value": v,
                "name": _plain(c.code),
                "title": c.name,
                "color_hint": c.color[1:].upper(),
            }
            for v, c in scheme.values.items()
        ),
    ]


def _plain(code: str) -> str:
    """A class code as the extension wants names: letters, digits, `-` and `_`."""
    return re.sub("[^0-9A-Za-z_-]", "-", code)


def areas_of(values: Array, scheme: LabelScheme) -> dict[str, dict[str, Any]]:
    """Pixels and square kilometres of each class of a map at 10 m, by value."""
    counts = np.bincount(values.ravel(), minlength=len(scheme.classes) + 1)
    return {
        str(v): {"code": c.code, "name": c.name, "pixels": int(counts[v]), "area_km2": round(int(counts[v]) * 1e-4, 4)}
        for v, c in scheme.values.items()
    }


def attribute(week: str, area: Area) -> str:
    """The attribution of a map of a week."""
    line = f"Contains modified Copernicus Sentinel data [{week[:4]}]"
    return f"{line}; {area.labels.attribution}" if area.labels.attribution else line
