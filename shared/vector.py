"""Vector files as delivered: opened without a network, tables of points among them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyogrio
from numpy.typing import NDArray
from pyogrio.errors import DataSourceError

from shared.raster.options import NO_NETWORK

LONGITUDES: Final = ("lon", "longitude", "th_long", "point_long", "gps_long", "x")
LATITUDES: Final = ("lat", "latitude", "th_lat", "point_lat", "gps_lat", "y")
"""Columns of a table that hold degrees of WGS 84, in any case; of each kind the first that there is.

Three are LUCAS's, whose `gps_` are 88.9 where no satellite was received; an `x` beside others may be metres.
"""

MOST_HEADER_BYTES: Final = 1 << 16

# A vector file may name others by address; none is fetched.
pyogrio.set_gdal_config_options(dict(NO_NETWORK))


def is_table(path: Path) -> bool:
    """Return whether a file is a table of points, by its name."""
    return path.suffix.lower() == ".csv"


def names_positions(path: Path) -> bool:
    """Return whether the first line of a table names a column of longitudes and one of latitudes."""
    return None not in _positions(path)


def _positions(path: Path) -> tuple[str | None, str | None]:
    """Return the columns of longitudes and latitudes that the first line of a table names, in lower case."""
    with path.open("rb") as file:
        line = file.readline(MOST_HEADER_BYTES).decode("utf-8-sig", "replace")
    names = {name.strip().strip('"').lower() for name in re.split(r"[,;\t|]", line)}
    longitude, latitude = (next((n for n in known if n in names), None) for known in (LONGITUDES, LATITUDES))
    return longitude, latitude


def list_layers(path: Path) -> list[tuple[str, str | None]]:
    """Return the layers of a file, and the geometry type of each as GDAL writes it; None of one that has none.

    Raises:
        pyogrio.errors.DataSourceError: it cannot be read.
    """
    layers = [(str(name), kind) for name, kind in pyogrio.list_layers(_address(path))]
    if not is_table(path):
        return layers
    kinds = [(name, str(read_info(path, name)["geometry_type"])) for name, _ in layers]
    return [(name, None if kind == "None" else kind) for name, kind in kinds]


def read_info(path: Path, layer: str, force_total_bounds: bool = False) -> Mapping[str, Any]:
    """Return what pyogrio tells of a layer; `crs` is that of a table's degrees, or empty where nobody knows.

    Raises:
        pyogrio.errors.DataSourceError: it cannot be read.
    """
    info = dict(pyogrio.read_info(_address(path), layer=layer, force_total_bounds=force_total_bounds, **_options(path)))
    info["crs"] = "EPSG:4326" if is_table(path) else str(info["crs"] or "")
    return info


def read_layer(
    path: Path, layer: str, columns: Sequence[str], bounds: Sequence[float], read_geometry: bool = True
) -> tuple[NDArray[np.object_], list[NDArray[Any]]]:
    """Read the features of a layer that meet a box, in the layer's order.

    Args:
        path: the file.
        layer: name of the layer.
        columns: names of the fields wanted.
        bounds: west, south, east, north in the layer's CRS.
        read_geometry: whether to read where they are.

    Returns:
        WKB in two dimensions (feature,), None where a feature has none; values of each column (feature,).

    Raises:
        pyogrio.errors.DataSourceError: it cannot be read.
    """
    _, _, geometries, fields = pyogrio.raw.read(
        _address(path),
        layer=layer,
        columns=list(columns),
        bbox=tuple(bounds),
        read_geometry=read_geometry,
        force_2d=True,
        **_options(path),
    )
    return geometries, fields


def _address(path: Path) -> str:
    """Return by what GDAL opens a file, and no other one.

    A table is read by the driver of tables alone: by its content GDAL would take it for XML, or a database, that names
    other files. What stands behind an exclamation mark pyogrio takes for a path of its own.

    Raises:
        pyogrio.errors.DataSourceError: its path cannot be opened.
    """
    if is_table(path):
        return f"CSV:{path}"
    if "!" in str(path):
        raise DataSourceError(f"{path.name}: its path has an exclamation mark, which no vector file may have")
    return str(path)


def _options(path: Path) -> dict[str, str]:
    if not is_table(path):
        return {}
    # GDAL would take the first column that has any of several names.
    longitude, latitude = _positions(path)
    return {"encoding": _encoding(path), "X_POSSIBLE_NAMES": longitude or "", "Y_POSSIBLE_NAMES": latitude or ""}


def _encoding(path: Path) -> str:
    """Return how a table is written: UTF-8 where all of it is, else Latin-1, as spreadsheets of old write."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"
