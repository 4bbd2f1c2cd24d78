"""Label polygons as people keep them, in any vector format, written as a delivery that ingest takes."""

from __future__ import annotations

from pathlib import Path

import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError

from simulator.bands import WrapError
from simulator.clc import fixed_clock


def write_labels(source: Path, attribute: str, out: Path, layer: str = "") -> Path:
    """Write the polygons of a vector file as a GeoPackage of the same name.

    Args:
        source: Any file, or folder, that GDAL reads as polygons.
        attribute: The field that holds the class; it is kept as it is, other fields are left out.
        out: Parent folder.
        layer: Layer of the source; empty = the one that has polygons and the attribute.

    Returns:
        The GeoPackage.

    Raises:
        WrapError: No such file, layer, field or CRS, or more than one layer would do.
    """
    if not source.exists():
        raise WrapError(f"{source}: no such file; check the path")
    target = out / f"{source.name.split('.')[0]}.gpkg"
    if target.exists() and target.samefile(source):
        raise WrapError(f"{source}: is in --out already; give another --out")
    try:
        chosen = _choose(source, attribute, layer)
        meta, _, geometry, fields = pyogrio.raw.read(source, layer=chosen, columns=[attribute], force_2d=True)
        if not meta["crs"]:
            raise WrapError(f"{source}: layer {chosen} has no CRS; add it with ogr2ogr -a_srs")
        out.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        with fixed_clock():
            pyogrio.raw.write(
                target,
                geometry,
                fields,
                meta["fields"],
                layer=chosen,
                driver="GPKG",
                geometry_type="MultiPolygon",
                promote_to_multi=True,
                crs=meta["crs"],
            )
    except (DataSourceError, DataLayerError) as error:
        raise WrapError(f"{source}: cannot be read as polygons ({str(error).splitlines()[0]})") from error
    return target


def _choose(source: Path, attribute: str, wanted: str) -> str:
    """Return the layer to take."""
    layers = {str(name) for name, kind in pyogrio.list_layers(source) if kind and "Polygon" in kind}
    if wanted and wanted not in layers:
        raise WrapError(f"{source}: has no layer {wanted} of polygons; there are {', '.join(sorted(layers)) or 'none'}")
    fields = {name: list(pyogrio.read_info(source, layer=name)["fields"]) for name in sorted(layers)}
    found = [name for name in ([wanted] if wanted else fields) if attribute in fields[name]]
    if not found:
        known = sorted({str(field) for names in fields.values() for field in names})
        there = f"there are {', '.join(known)}" if known else "it has no polygons with fields"
        raise WrapError(f"{source}: no layer of polygons has the field {attribute}; {there}")
    if len(found) > 1:
        raise WrapError(f"{source}: layers {' and '.join(found)} both have {attribute}; choose one with --layer")
    return found[0]
