"""Deliveries of rasters of classes: one band of whole numbers, over the area, of which year."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path, PurePosixPath

import rasterio
from pyproj.exceptions import CRSError, ProjError
from rasterio.errors import RasterioError, WindowError
from rasterio.warp import transform_bounds
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from services.ingest.datum import is_shift_known
from services.ingest.names import LabelName, is_change, is_image, label_stem
from services.ingest.outline import bounds_text
from services.ingest.refuse import DELIVER_AGAIN
from shared.area import Area
from shared.raster.delivered import GEOTIFF, decode_fault
from shared.raster.grid import outline
from shared.raster.options import DELIVERED
from shared.stage import RejectScene

_SIGNATURES = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_SUFFIXES = (".tif", ".tiff")
_INTEGERS = frozenset({"uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"})
PLACES, PLACE_PX = 4, 64
"""Along each side: places whose values are looked at, and their pixels."""


@dataclass(frozen=True)
class RasterFacts:
    """Where the pixels of a delivery are.

    Attributes:
        path: the GeoTIFF.
        reference_year: year that the classes describe.
        crs: as `EPSG:n` or WKT.
        outline: of the raster in longitude, latitude (degrees).
    """

    path: Path
    reference_year: int
    crs: str
    outline: BaseGeometry


def is_geotiff(path: Path) -> bool:
    """Return whether a file is a TIFF, by its content and its name."""
    with path.open("rb") as file:
        return path.name.lower().endswith(_SUFFIXES) and file.read(4) in _SIGNATURES


def find_rasters(root: Path, files: list[str]) -> dict[str, Path]:
    """Find the GeoTIFFs among files below a folder, by relative path; images of products hold no classes."""
    named = (f for f in sorted(files) if f.lower().endswith(_SUFFIXES) and not is_image(PurePosixPath(f).name))
    return {f: root / f for f in named if is_geotiff(root / f)}


def read_facts(rasters: Mapping[str, Path], name: LabelName, area: Area, unit: str) -> RasterFacts:
    """Choose the raster over the area and read its header.

    Args:
        rasters: what to call each in messages -> local GeoTIFF.
        name: what the file name tells.
        area: the study area.
        unit: what to call the delivery in messages.

    Raises:
        RejectScene: the area's scheme reads none, none is over the area, or the one that is cannot be used.
    """
    if area.labels.source == "polygons":
        fault = f"is a raster of classes, and label scheme {area.labels.scheme} reads polygons"
        raise RejectScene(unit, fault, "set `source: raster` in the area's label scheme, with its values of pixels")
    found, faults = _read_all(rasters, name, area)
    over = [facts for facts in found if facts.outline.intersects(area.polygon)]
    if not over and faults:
        raise faults[0]
    if not over:
        aoi = bounds_text(area.polygon)
        fault = f"covers {bounds_text(found[0].outline)}, outside the area {area.name}, whose AOI is {aoi}"
        raise RejectScene(unit, fault, "deliver labels of the area, or another area file")
    if len(over) > 1:
        fault = f"holds {len(over)} rasters over the area, {over[0].path.name} among them"
        raise RejectScene(unit, fault, "deliver one; `gdal_merge.py -o labels.tif ...` joins tiles")
    return over[0]


def _read_all(rasters: Mapping[str, Path], name: LabelName, area: Area) -> tuple[list[RasterFacts], list[RejectScene]]:
    """Read those that may be classes, and why the others are none: makers put pictures and measures beside them."""
    found, faults = [], []
    for called, path in rasters.items():
        try:
            found.append(_read(path, called, name, area))
        except RejectScene as error:
            faults.append(error)
    return found, faults


def _read(path: Path, called: str, name: LabelName, area: Area) -> RasterFacts:
    if area.labels.source == "clc" and is_change(label_stem(PurePosixPath(called).name)):
        raise RejectScene(called, "holds the changes between two years", "deliver the land cover of one year")
    try:
        with rasterio.Env(**DELIVERED), rasterio.open(path, driver=GEOTIFF.driver) as image:
            if image.count != 1 or image.dtypes[0] not in _INTEGERS:
                fault = f"has {image.count} bands of {image.dtypes[0]}, not one of classes"
                raise RejectScene(called, fault, "deliver one band of whole numbers, a class each")
            crs = "" if image.crs is None else _name_of(image.crs)
            if not crs or image.transform.is_identity:
                raise RejectScene(called, "has no georeference", "deliver the raster with its CRS and position")
            if not is_shift_known(crs):
                fault = f"is in {crs[:80]}, whose datum shift to WGS 84 is unknown"
                raise RejectScene(called, fault, "deliver the raster in a CRS of ETRS89 or WGS 84")
            facts = RasterFacts(path, name.reference_year or area.label_year, crs, outline(crs, _bounds(image)))
            if facts.outline.intersects(area.polygon):
                _check_values(image, called, area)
            return facts
    except (RasterioError, OSError, UnicodeError) as error:
        raise RejectScene(called, decode_fault(error, path), DELIVER_AGAIN) from error
    except (CRSError, ProjError, ValueError) as error:
        fault = f"has an unusable CRS or extent ({str(error)[:200]})"
        raise RejectScene(called, fault, "deliver the raster in a CRS of the EPSG register") from error


def _check_values(image: rasterio.DatasetReader, called: str, area: Area) -> None:
    """Look at some places over the area: a raster of heights would win over good labels and be refused only then.

    Raises:
        RejectScene: a value there is none of the label scheme's.
    """
    whole, known = Window(0, 0, image.width, image.height), area.labels.pixel_values()
    try:
        over = image.window(*transform_bounds("EPSG:4326", image.crs, *area.polygon.bounds)).intersection(whole)
    except WindowError:  # rotated, or only a corner of it is over the area
        over = whole
    odd = set[int]()
    for row, col in product(range(PLACES), range(PLACES)):
        y, x = over.row_off + (row + 0.5) / PLACES * over.height, over.col_off + (col + 0.5) / PLACES * over.width
        place = Window(int(x) - PLACE_PX // 2, int(y) - PLACE_PX // 2, PLACE_PX, PLACE_PX).intersection(whole)
        odd |= set(image.read(1, window=place, masked=True).compressed().tolist()) - known.keys()
    if odd:
        listed = ", ".join(map(str, sorted(odd)[:8])) + (" ..." if len(odd) > 8 else "")
        fault = f"has pixels of {listed}, unknown to the label scheme {area.labels.scheme}"
        raise RejectScene(called, fault, "add the values to `sources` or `ignored` of the area file's label scheme")


def _bounds(image: rasterio.DatasetReader) -> tuple[float, float, float, float]:
    """Return west, south, east, north; those of the whole Earth may reach part of a pixel beyond it."""
    west, south, east, north = image.bounds
    if not image.crs.is_geographic:
        return west, south, east, north
    dx, dy = image.res
    west, east = (-180.0 if -180 - dx < west < -180 else west), (180.0 if 180 < east < 180 + dx else east)
    return west, (-90.0 if -90 - dy < south < -90 else south), east, (90.0 if 90 < north < 90 + dy else north)


def _name_of(crs: rasterio.crs.CRS) -> str:
    epsg = crs.to_epsg()
    return f"EPSG:{epsg}" if epsg else str(crs.to_wkt())
