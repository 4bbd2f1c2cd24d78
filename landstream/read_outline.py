"""Geometries from WKT and from files: GeoJSON, WKT, GeoPackage, Shapefile; what is in a file decides what it is."""

from __future__ import annotations

import json
import re
import struct
import tempfile
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from shared.area import AreaError

FORMS: Final = "W,S,E,N in degrees, WKT, or a file: GeoJSON, WKT, GeoPackage or Shapefile (zipped too)"
EXTRA: Final = "landstream[rasterize]"
"""The smallest extra that holds pyogrio, which reads GeoPackages and Shapefiles."""

MAX_TEXT_BYTES: Final = 256 << 20
_WKT = re.compile(
    r"^\s*(?:(?:SRID\s*=\s*)?(?:EPSG:)?(?P<epsg>\d+)\s*;)?\s*(?P<body>(?:POINT|LINESTRING|LINEARRING|POLYGON|MULTIPOINT"
    r"|MULTILINESTRING|MULTIPOLYGON|GEOMETRYCOLLECTION|CURVEPOLYGON|MULTISURFACE|TRIANGLE|TIN)\s*(?:ZM|Z|M)?\s*"
    r"(?:\(|EMPTY).*)\Z",
    re.IGNORECASE | re.DOTALL,
)
_MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, ShapelyError)
_SQLITE = b"SQLite format 3\x00"
_SHAPEFILE = b"\x00\x00\x27\x0a"
_SIDECARS = (".shx", ".dbf", ".prj", ".cpg")


@dataclass(frozen=True)
class Outline:
    """Geometries as they were given, and their CRS as PROJ takes it; None = not stated."""

    geometries: tuple[BaseGeometry | None, ...]
    crs: str | None
    remedy: str


def read_outline(text: str, layer: str | None) -> Outline:
    """Read the geometries that a text gives, or the file of that path.

    Args:
        text: WKT, also `SRID=...;`, or the path of a file.
        layer: which layer of a file with several.

    Raises:
        AreaError: it is neither, cannot be read, or pyogrio is not installed and needed.
    """
    if wkt := _WKT.match(text):
        refuse_layer(layer)
        return _of_wkt(wkt)
    if not is_path(text):
        raise AreaError(f"no such file; give {FORMS}")
    return _of_file(Path(text), layer)


def refuse_layer(layer: str | None) -> None:
    """Refuse to choose a layer of what has none.

    Raises:
        AreaError: one was named.
    """
    if layer is not None:
        raise AreaError("has no layers; leave out --layer")


def is_path(text: str) -> bool:
    """Return whether there is a file or folder of this name."""
    try:
        return Path(text).exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _of_wkt(match: re.Match[str]) -> Outline:
    remedy = "put the CRS before it, `SRID=<EPSG code>;POLYGON (...)`"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # GEOS repeats in a warning what it raises
        try:
            geometry = shapely.from_wkt(match["body"])
        except _MALFORMED as error:
            raise AreaError(f"not WKT ({_one_line(error)})") from error
    code = match["epsg"]
    return Outline((geometry,), f"EPSG:{code}" if code and int(code) else None, remedy)


def _of_file(path: Path, layer: str | None) -> Outline:
    """Read a file by what it holds.

    Raises:
        AreaError: it cannot be read, or is of no kind that is known.
    """
    try:
        if path.is_dir():
            raise AreaError("is a folder; name the file in it")
        with path.open("rb") as file:
            head = file.read(104)
        if not head.strip():
            raise AreaError("is an empty file")
        if path.suffix.lower() in _SIDECARS and path.with_suffix(".shp").exists():
            raise AreaError("is a part of a Shapefile; give the .shp beside it")
        if head.startswith(b"PK\x03\x04"):
            return _of_archive(path, layer)
        if head.startswith(_SQLITE) or head.startswith(_SHAPEFILE):
            return _of_vector_file(path, head, layer)
        refuse_layer(layer)
        return _of_text_file(path)
    except OSError as error:
        raise AreaError(f"cannot be read ({error.strerror}); give {FORMS}") from error


def _of_text_file(path: Path) -> Outline:
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise AreaError(f"is larger than {MAX_TEXT_BYTES >> 20} MB; simplify the outline")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise AreaError(f"is of no format that is known; give {FORMS}") from None
    if text.lstrip().startswith("{"):
        try:
            return _of_geojson(json.loads(text))
        except _MALFORMED as error:
            if isinstance(error, AreaError):
                raise
            raise AreaError(f"not GeoJSON ({_one_line(error)})") from error
    lines = [line for line in text.splitlines() if line.strip()]
    starts = [match for line in lines if (match := _WKT.match(line))]
    if len(starts) == len(lines) > 1:
        found = [_of_wkt(match) for match in starts]
    elif whole := _WKT.match(text):
        found = [_of_wkt(whole)]
    else:
        raise AreaError(f"is neither GeoJSON nor WKT; give {FORMS}")
    if len({f.crs for f in found}) > 1:
        raise AreaError("has geometries in several CRSs; give one CRS")
    return replace(found[0], geometries=tuple(g for f in found for g in f.geometries))


def _of_geojson(data: dict[str, Any]) -> Outline:
    """Read GeoJSON of any age: since RFC 7946 it is in degrees, before it could name another CRS."""
    kind = data.get("type")
    if kind == "FeatureCollection":
        members = [feature.get("geometry") for feature in data["features"]]
    else:
        members = [data.get("geometry") if kind == "Feature" else data]
    geometries = tuple(None if member is None else shape(member) for member in members)
    stated = data.get("crs")
    remedy = "export it in EPSG:4326, or with a `crs` member that names its CRS"
    return Outline(geometries, None if stated is None else _crs_of_geojson(stated), remedy)


def _crs_of_geojson(stated: dict[str, Any]) -> str:
    kind, properties = stated["type"], stated["properties"]
    if kind == "name":
        return str(properties["name"])
    if kind == "EPSG":
        return f"EPSG:{properties['code']}"
    raise AreaError(f"its `crs` member is of type {kind!r}, which names no CRS; export it in EPSG:4326")


def _of_archive(path: Path, layer: str | None) -> Outline:
    """Read the one file with an outline in a zip archive, which nobody vouches for."""
    from services.ingest.members import Limits
    from services.ingest.refuse import Incomplete
    from services.ingest.unpack import unpack
    from shared.stage import RejectScene

    with tempfile.TemporaryDirectory(prefix="landstream-aoi-") as name:
        folder = Path(name) / "unpacked"
        try:
            files = unpack(path, folder, Limits(members=1_000, bytes=4 << 30, ratio=200)).files
        except (RejectScene, Incomplete) as error:
            raise AreaError(error.fault) from error
        wanted = (".shp", ".gpkg", ".geojson", ".json", ".wkt")
        found = [f for f in files if f.lower().endswith(wanted) and not f.startswith("__MACOSX/")]
        if len(found) != 1:
            names = (
                f"{len(found)} files with an outline ({', '.join(found[:3])})" if found else "no file with an outline"
            )
            raise AreaError(f"holds {names}; pack one Shapefile, GeoPackage, GeoJSON or WKT file")
        return _of_file(folder / found[0], layer)


def _of_vector_file(path: Path, head: bytes, layer: str | None) -> Outline:
    """Read a GeoPackage or a Shapefile with GDAL, to which only that file is shown, under the name that it expects."""
    geopackage = head.startswith(_SQLITE)
    if geopackage and _application(path) != b"GP":
        raise AreaError("is an SQLite database, but no GeoPackage")
    if not geopackage and len(head) > 100 and struct.unpack(">I", head[100:104])[0] != 1:
        raise AreaError("is the index of a Shapefile; give the .shp beside it")
    try:
        import pyogrio
    except ModuleNotFoundError as error:
        kind = "GeoPackage" if geopackage else "Shapefile"
        raise AreaError(
            f"a {kind} needs {error.name}: pip install '{EXTRA}'; or give GeoJSON, WKT or W,S,E,N"
        ) from error

    from shared.raster.options import NO_NETWORK

    pyogrio.set_gdal_config_options(dict(NO_NETWORK))
    with tempfile.TemporaryDirectory(prefix="landstream-aoi-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # GDAL's remarks on what it reads all the same; the outline is checked
        shown = Path(folder) / ("aoi.gpkg" if geopackage else "aoi.shp")
        shown.symlink_to(path.resolve())
        if not geopackage:
            _show_sidecars(path, Path(folder))
        try:
            name = _layer(pyogrio.list_layers(shown), layer)
            meta, _, wkb, _ = pyogrio.raw.read(shown, layer=name, columns=[], force_2d=True)
            geometries = tuple(None if g is None else shapely.from_wkb(g) for g in wkb)
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ShapelyError, UnicodeError) as error:
            raise AreaError(f"is a damaged vector file ({_one_line(error)})") from error
    if not meta["crs"]:
        missing = f"layer {name} states no CRS" if geopackage else "has no .prj beside it, which states the CRS"
        raise AreaError(f"{missing}; assign one, in QGIS under Layer > Layer CRS, and export it again")
    return Outline(geometries, str(meta["crs"]), "")


def _application(path: Path) -> bytes:
    """Return the beginning of an SQLite file's application id: `GP` in a GeoPackage."""
    with path.open("rb") as file:
        return file.read(100)[68:70]


def _show_sidecars(path: Path, folder: Path) -> None:
    beside = {p.suffix.lower(): p for p in path.parent.iterdir() if p.stem == path.stem}
    if ".shx" not in beside:
        raise AreaError("has no .shx beside it; a Shapefile is several files, give them all")
    for suffix in _SIDECARS:
        if suffix in beside:
            (folder / f"aoi{suffix}").symlink_to(beside[suffix].resolve())


def _layer(layers: Iterable[tuple[str, str | None]], wanted: str | None) -> str:
    """Choose the layer: the one that was named, or the only one with geometries."""
    names = [str(name) for name, kind in layers if kind is not None]
    if wanted is not None and wanted not in names:
        raise AreaError(f"has no layer {wanted!r}; it has {', '.join(names) or 'none'}")
    if wanted is None and len(names) != 1:
        raise AreaError(f"has {len(names)} layers ({', '.join(names)}); name one with --layer")
    return wanted or names[0]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
