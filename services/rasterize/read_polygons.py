"""The polygons or points of a label delivery around the area, as ingest has found and checked them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import Transformer

from shared.stage import RejectScene
from shared.vector import read_info, read_layer
from shared.zips import open_zip

MARGIN_M = 1000
"""The spatial filter reaches this far beyond the grid: shifts between CRS stay below it."""

Polygons = tuple[NDArray[np.object_], NDArray[Any], str]


def read_polygons(path: Path, layer: str, attribute: str, bounds_m: tuple[float, ...], grid_crs: str) -> Polygons:
    """Polygons, or points, around a grid, in file order.

    Args:
        path: GeoPackage, file geodatabase, shapefile or table of points.
        layer: layer name.
        attribute: field of the class code.
        bounds_m: west, south, east, north of the grid, in metres of `grid_crs`.
        grid_crs: `EPSG:n`.

    Returns:
        geometries (polygon,) in the layer's CRS, class codes (polygon,) as delivered, the layer's CRS.

    Raises:
        RejectScene: the layer cannot be read.
    """
    west, south, east, north = bounds_m
    around = (west - MARGIN_M, south - MARGIN_M, east + MARGIN_M, north + MARGIN_M)
    try:
        crs = str(read_info(path, layer)["crs"])
        box = Transformer.from_crs(grid_crs, crs, always_xy=True).transform_bounds(*around, densify_pts=21)
        wkb, fields = read_layer(path, layer, [attribute], box)
        geometries = np.asarray(shapely.from_wkb(wkb, on_invalid="fix"), dtype=object)
    except (DataSourceError, DataLayerError, UnicodeError, shapely.errors.GEOSException) as error:
        raise RejectScene(path.name, f"cannot be read ({str(error)[:200]})", "deliver the labels again") from error
    return geometries, fields[0], crs


def extract_member(archive: Path, member: str, folder: Path) -> Path:
    """Take one dataset out of an archive whose names, sizes and ratios ingest has checked.

    Args:
        archive: the zip file as delivered.
        member: relative POSIX path of a geodatabase folder, a GeoPackage or a `.shp`.
        folder: where to.

    Returns:
        The local dataset.

    Raises:
        RejectScene: the archive holds no such member.
    """
    inside = PurePosixPath(member)
    found = False
    with open_zip(archive) as opened:
        for info in opened.infolist():
            info.filename = info.filename.replace("\\", "/")  # of Windows' own archivers, as ingest reads them
            name = PurePosixPath(info.filename)
            beside = member.lower().endswith(".shp") and name.with_suffix("") == inside.with_suffix("")
            if info.is_dir() or not (name == inside or inside in name.parents or beside):
                continue
            opened.extract(info, folder)  # strips drive letters, roots and dots
            found = True
    if not found:
        raise RejectScene(archive.name, f"holds no {member}", "deliver the labels again")
    return folder / member
