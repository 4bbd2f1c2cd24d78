"""Labels that a model is scored on: polygons or points of any vector format, or points of a CSV file."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import Transformer

from services.rasterize.burn import burn, reproject
from shared.area import LabelScheme, UnknownClass, is_missing
from shared.geo import TILE_10M_PX, Grid
from shared.raster.grid import Lattice
from shared.vector import LATITUDES, LONGITUDES

CODES: Final = ("class", "code", "label", "lc1", "survey_lc1")
"""Columns of a CSV file, in any case; the last ones are those of LUCAS."""

PIXEL_M: Final = 10


class BadReferences(ValueError):
    """Raised when labels cannot be used; one line names the file, what is wrong and what to do."""


@dataclass(frozen=True)
class References:
    """Labels on a grid.

    Attributes:
        geometries: (n,) polygons or points in the grid's CRS.
        values: uint8 (n,): classes of the area's scheme.
        left_out: code -> how many labels have it, of codes that the scheme does not know.
    """

    geometries: NDArray[np.object_]
    values: NDArray[np.uint8]
    left_out: Mapping[str, int]


def read_references(
    path: Path, scheme: LabelScheme, grid: Grid, attribute: str = "", renamed: Mapping[str, str] | None = None
) -> References:
    """Read labels around a grid.

    Args:
        path: GeoPackage, Shapefile, GeoJSON or what else GDAL reads as vectors; `.csv` has longitude and latitude.
        scheme: what codes are looked up in: as delivered, or a class's own code.
        grid: of the area.
        attribute: the field that holds the code; empty = the one that the scheme names, or one of `CODES`.
        renamed: code of the file -> code of the scheme.

    Raises:
        BadReferences: it cannot be read, has no such field, or none of its labels has a known code.
    """
    read = _read_csv if path.suffix.lower() == ".csv" else _read_vector
    try:
        geometries, codes = read(path, scheme, grid, attribute)
    except OSError as error:
        raise BadReferences(f"{path}: {error.strerror or error}; check the path") from error
    values, unknown = _values_of(codes, scheme, renamed or {})
    usable = (values > 0) & ~shapely.is_missing(geometries) & ~shapely.is_empty(geometries)
    if not usable.any():
        known = ", ".join(c.code for c in scheme.classes)
        found = ", ".join(list(unknown)[:5]) or "none"
        raise BadReferences(
            f"{path}: no label has a code of {scheme.scheme} ({known}), but {found}; --map tells others"
        )
    return References(geometries[usable], values[usable], unknown)


def _values_of(
    codes: Sequence[Any], scheme: LabelScheme, renamed: Mapping[str, str]
) -> tuple[NDArray[np.uint8], Mapping[str, int]]:
    by_code = {c.code: value for value, c in scheme.values.items()}
    unknown: Counter[str] = Counter()
    values = np.zeros(len(codes), np.uint8)
    for i, code in enumerate(codes):
        text = renamed.get(str(code).strip(), code)
        if is_missing(text):
            unknown[str(code).strip()] += 1
            continue
        try:
            values[i] = by_code.get(str(text).strip()) or scheme.value_of(text)
        except UnknownClass:
            unknown[str(code).strip()] += 1
    return values, dict(unknown.most_common())


def _read_csv(path: Path, scheme: LabelScheme, grid: Grid, attribute: str) -> tuple[NDArray[np.object_], Sequence[Any]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        names = {name.strip().lower(): name for name in reader.fieldnames or ()}
        x, y = (_column(path, names, wanted) for wanted in (LONGITUDES, LATITUDES))
        code = _column(path, names, (attribute.lower(),) if attribute else CODES)
        try:
            rows = [(float(row[x]), float(row[y]), row[code]) for row in reader]
        except (TypeError, ValueError) as error:
            raise BadReferences(f"{path}:{reader.line_num}: {error}; give longitude and latitude in degrees") from error
    if not rows:
        raise BadReferences(f"{path}: has no row; give one for each point")
    longitude, latitude = np.array([row[:2] for row in rows]).T
    move = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    return _moved(np.asarray(shapely.points(longitude, latitude), object), move), [row[2] for row in rows]


def _moved(points: NDArray[np.object_], transformer: Transformer) -> NDArray[np.object_]:
    """Return points elsewhere; pyproj takes an array of one for a number, and a list of one for a list."""
    x, y = shapely.get_coordinates(points).T
    return np.asarray(shapely.points(*map(np.array, transformer.transform(x.tolist(), y.tolist()))), object)


def _column(path: Path, names: Mapping[str, str], wanted: Sequence[str]) -> str:
    for name in wanted:
        if name in names:
            return names[name]
    raise BadReferences(f"{path}: has none of the columns {', '.join(wanted)}; it has {', '.join(names.values())}")


def _read_vector(
    path: Path, scheme: LabelScheme, grid: Grid, attribute: str
) -> tuple[NDArray[np.object_], Sequence[Any]]:
    path.stat()  # GDAL takes a path that does not exist for an address
    try:
        info = pyogrio.read_info(path)
        field = _field(path, list(info["fields"]), scheme, attribute)
        crs = str(info["crs"])
        around = Transformer.from_crs(grid.crs, crs, always_xy=True).transform_bounds(*grid.bounds_m, densify_pts=21)
        _, _, wkb, fields = pyogrio.raw.read(path, columns=[field], bbox=around, force_2d=True)
        geometries = np.asarray(shapely.from_wkb(wkb), object)
    except (DataSourceError, DataLayerError, UnicodeError, shapely.errors.GEOSException) as error:
        raise BadReferences(f"{path}: cannot be read ({str(error)[:200]}); give polygons or points") from error
    if not len(geometries):
        raise BadReferences(f"{path}: no label lies on the area's grid")
    if (shapely.get_type_id(geometries) == shapely.GeometryType.POINT).all():
        return _moved(geometries, Transformer.from_crs(crs, grid.crs, always_xy=True)), fields[0].tolist()
    return reproject(geometries, crs, grid.crs), fields[0].tolist()


def _field(path: Path, fields: Sequence[str], scheme: LabelScheme, attribute: str) -> str:
    wanted = [attribute.lower()] if attribute else []
    found = [f for f in fields if f.lower() in wanted or (not wanted and re.fullmatch(scheme.attribute, f, re.I))]
    found = found or [f for f in fields if not wanted and f.lower() in CODES]
    if not found:
        raise BadReferences(f"{path}: which field holds the class? --attribute names it, of {', '.join(fields)}")
    return found[0]


def tile_rows(references: References, grid: Grid) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield the rows of tiles that hold a label, from the north.

    A pixel takes the class of the point in it, or of the polygon that holds its centre; of several, the later one's.

    Yields:
        (tile row, uint8 (256, nx)): classes at 10 m, 0 = no label.
    """
    lattice = Lattice.of_area(grid, PIXEL_M)
    ny, nx = lattice.shape
    are_points = shapely.get_type_id(references.geometries) == shapely.GeometryType.POINT
    x, y = shapely.get_coordinates(references.geometries[are_points]).T
    cols = np.floor((x - grid.origin_x_m) / PIXEL_M).astype(np.int64)
    rows = np.floor((grid.origin_y_m - y) / PIXEL_M).astype(np.int64)
    inside = (rows >= 0) & (rows < ny) & (cols >= 0) & (cols < nx)
    rows, cols, values = rows[inside], cols[inside], references.values[are_points][inside]
    polygons, classes = references.geometries[~are_points], references.values[~are_points].astype(np.uint32)
    for top, burned in burn(polygons, classes, lattice.transform, lattice.shape, TILE_10M_PX):
        strip = burned.astype(np.uint8)
        here = rows // TILE_10M_PX == top // TILE_10M_PX
        strip[rows[here] - top, cols[here]] = values[here]
        if strip.any():
            yield top // TILE_10M_PX, strip
