"""The outline of a study area, from whatever people keep it in: degrees, WKT, GeoJSON, GeoPackage, Shapefile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from landstream.read_outline import Outline, is_path, read_outline, refuse_layer
from shared.area import AreaError
from shared.area.extent import check_extent
from shared.geo.outline import project

SEGMENT_M: Final = 5_000
"""Edges are divided to this length before they are projected: a straight one then bends by less than a metre."""

MANY_VERTICES: Final = 5_000
PIXEL_DEG: Final = 1e-4
"""About 10 m: outlines with very many vertices are simplified to within it."""


@dataclass(frozen=True)
class Aoi:
    """An outline.

    Attributes:
        polygon: valid Polygon or MultiPolygon in longitude, latitude (degrees).
        notes: what was done to it, for people.
    """

    polygon: BaseGeometry
    notes: tuple[str, ...] = ()


def read_aoi(text: str, layer: str | None = None) -> Aoi:
    """Read an outline; what a file holds decides, not how it is called.

    Args:
        text: `W,S,E,N`, WKT (also `SRID=...;`), or the path of a GeoJSON or WKT file, a GeoPackage or a Shapefile.
        layer: which layer of a file with several.

    Raises:
        AreaError: it is none of these, empty, no polygon, not in degrees though it says no CRS, polar, or across the
            antimeridian; the message says what to do.
    """
    try:
        aoi = _outline(text, layer)
        _check(aoi.polygon.bounds)
        return aoi
    except AreaError as error:
        shown = " ".join(text.split())
        raise AreaError(f"--aoi {shown if len(shown) <= 80 else shown[:77] + '...'}: {error}") from error


def _check(bounds: tuple[float, float, float, float]) -> None:
    try:
        check_extent(bounds)
    except ValueError as error:
        raise AreaError(str(error)) from error


def _outline(text: str, layer: str | None) -> Aoi:
    if len(parts := text.split(",")) == 4 and "(" not in text and not is_path(text):
        refuse_layer(layer)
        return Aoi(_of_numbers(parts))
    return _assemble(read_outline(text, layer))


def _of_numbers(parts: Sequence[str]) -> BaseGeometry:
    try:
        west, south, east, north = map(float, parts)
    except ValueError:
        raise AreaError("not W,S,E,N in degrees") from None
    _check((west, south, east, north))
    return box(west, south, east, north)


def _assemble(found: Outline) -> Aoi:
    """Unite the polygons of what was found, and bring them to degrees.

    Raises:
        AreaError: no polygons, or not in degrees.
    """
    polygons = _polygons(found.geometries)
    notes = [f"{len(polygons)} polygons united"] if len(polygons) > 1 else []
    faults = [str(shapely.is_valid_reason(polygon)) for polygon in polygons if not polygon.is_valid]
    if faults:
        which = "the polygon was" if len(polygons) == 1 else f"{len(faults)} of {len(polygons)} polygons were"
        notes.append(f"{which} not valid ({faults[0]}); mended")
    union = _valid(shapely.union_all([shapely.make_valid(polygon) for polygon in polygons]))
    degrees, said = _in_degrees(union, found)
    outline, thinned = _simplified(degrees)
    return Aoi(shapely.orient_polygons(outline), (*notes, *said, *thinned))


def _polygons(geometries: Sequence[BaseGeometry | None]) -> list[BaseGeometry]:
    """Return all polygons, flat, without Z; of collections their polygons.

    Raises:
        AreaError: there are none, or there is something else beside them.
    """
    given = [shapely.force_2d(g) for g in geometries if g is not None and not g.is_empty]
    if not given:
        what = "no geometry" if not geometries else "only empty geometries"
        raise AreaError(f"holds {what}; give a polygon")
    if not all(np.isfinite(shapely.get_coordinates(g)).all() for g in given):
        raise AreaError("has coordinates that are no numbers; correct them")
    others = Counter(g.geom_type for g in given if not any(_parts(g)))
    if others:
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(others.items()))
        raise AreaError(f"holds {kinds}, where polygons are needed; leave out or buffer what is no polygon")
    return [part for g in given for part in _parts(g)]


def _parts(geometry: BaseGeometry) -> Iterator[BaseGeometry]:
    """Yield the polygons of a geometry that are not empty."""
    if geometry.geom_type == "Polygon":
        if not geometry.is_empty:
            yield geometry
    elif geometry.geom_type in {"MultiPolygon", "GeometryCollection"}:
        for part in shapely.get_parts(geometry):
            yield from _parts(part)


def _valid(geometry: BaseGeometry) -> BaseGeometry:
    """Return the polygons of a geometry, made valid.

    Raises:
        AreaError: none is left.
    """
    parts = [p for p in _parts(shapely.make_valid(geometry)) if p.area > 0]
    if not parts:
        raise AreaError("its polygons have no area")
    return shapely.union_all(parts)


def _in_degrees(outline: BaseGeometry, found: Outline) -> tuple[BaseGeometry, list[str]]:
    west, south, east, north = outline.bounds
    if found.crs is None:
        if max(-south, north) > 90 or max(-west, east) > 360:
            raise AreaError(
                f"coordinates such as {west:.0f}, {north:.0f} are not degrees, and no CRS is stated; {found.remedy}"
            )
        return outline, []
    try:
        crs = CRS.from_user_input(found.crs)
    except CRSError as error:
        raise AreaError(f"its CRS {found.crs[:60]!r} is unknown to PROJ; export it in EPSG:4326") from error
    name = f"EPSG:{crs.to_epsg()}" if crs.to_epsg() else crs.name
    if crs.to_epsg() == 4326 or crs.equals(CRS("OGC:CRS84"), ignore_axis_order=True):
        return outline, []
    if not (crs.is_projected or crs.is_geographic):
        raise AreaError(f"its CRS {name} is not one of the ground; export it in EPSG:4326")
    if crs.is_projected:
        outline = outline.segmentize(SEGMENT_M / crs.axis_info[0].unit_conversion_factor)
    moved = project(Transformer.from_crs(crs, 4326, always_xy=True), outline)
    if not all(-400 < value < 400 for value in moved.bounds):
        raise AreaError(f"coordinates such as {west:.0f}, {north:.0f} cannot be in {name}; correct its CRS")
    _check(moved.bounds)
    # A centimetre: digits beyond say nothing.
    return _valid(shapely.set_precision(_valid(moved), 1e-7)), [f"reprojected from {name} ({crs.name}) to degrees"]


def _simplified(outline: BaseGeometry) -> tuple[BaseGeometry, list[str]]:
    before = shapely.get_num_coordinates(outline)
    if before <= MANY_VERTICES:
        return outline, []
    simple = _valid(shapely.simplify(outline, PIXEL_DEG))
    after = shapely.get_num_coordinates(simple)
    return simple, [f"{before} vertices simplified to {after}, within 10 m"]
