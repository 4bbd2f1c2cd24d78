"""Write the landscape as Corine Land Cover: generalised polygons in a GeoPackage of the pan-European schema."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.features import shapes, sieve
from scipy.ndimage import uniform_filter
from shapely.geometry import shape

from simulator.landscape import WORLD_EPSG, zones_at

LAYER = "U2018_CLC2018_V2020_20u1"
_STEP_M = 25.0
# Corine's minimum mapping unit is 25 ha.
_MINIMUM_HA = 25
_TIME = "2020-06-13T00:00:00.000Z"


def write_clc(out: Path, seed: int, bounds_m: tuple[float, float, float, float], layer: str = LAYER) -> Path:
    """Write the land cover of a window.

    Args:
        out: Parent folder.
        seed: Which landscape.
        bounds_m: West, south, east, north in EPSG:3035.
        layer: Name of file and layer.

    Returns:
        The GeoPackage.
    """
    codes, west_m, north_m = zones_at(seed, bounds_m, _STEP_M)
    polygons, values = _generalise(codes, west_m, north_m)
    return write_polygons(out, polygons, values, layer)


def write_polygons(out: Path, polygons: NDArray[np.object_], codes: NDArray[np.int32], layer: str = LAYER) -> Path:
    """Write polygons with codes as the pan-European file has them.

    Args:
        out: Parent folder.
        polygons: Polygons in EPSG:3035.
        codes: Corine codes.
        layer: Name of file and layer.

    Returns:
        The GeoPackage.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{layer}.gpkg"
    path.unlink(missing_ok=True)
    areas_ha = shapely.area(polygons) / 1e4
    with fixed_clock():
        pyogrio.raw.write(
            path,
            geometry=shapely.to_wkb(shapely.multipolygons(polygons[:, np.newaxis])),
            field_data=[
                np.array([str(code) for code in codes], dtype=object),
                np.array([None] * len(codes), dtype=object),
                areas_ha,
                np.array([f"EU_{number + 1}" for number in range(len(codes))], dtype=object),
            ],
            fields=["Code_18", "Remark", "Area_Ha", "ID"],
            layer=layer,
            driver="GPKG",
            geometry_type="MultiPolygon",
            crs=f"EPSG:{WORLD_EPSG}",
            layer_options={"FID": "OBJECTID", "GEOMETRY_NAME": "Shape"},
        )
    return path


def _generalise(
    codes: NDArray[np.int32], west_m: float, north_m: float
) -> tuple[NDArray[np.object_], NDArray[np.int32]]:
    """Return polygons and codes: majority over some 75 m, small patches merged into neighbours, outlines simplified."""
    present = np.unique(codes)
    votes = np.stack([uniform_filter((codes == code).astype(np.float32), 3) for code in present])
    # Rivers are narrower than the filter: Corine exaggerates them to its minimum width of 100 m.
    votes[present == 511] *= 2.5
    smooth = present[votes.argmax(axis=0)].astype(np.int32)
    cells = int(_MINIMUM_HA * 1e4 / _STEP_M**2)
    merged = sieve(smooth, size=cells, connectivity=4)
    geometries, values = [], []
    for geometry, value in shapes(merged, connectivity=4, transform=Affine(_STEP_M, 0, west_m, 0, -_STEP_M, north_m)):
        geometries.append(shape(geometry))
        values.append(int(value))
    # Simplified as a coverage: neighbours keep one common outline, without gaps.
    simple = shapely.coverage_simplify(np.array(geometries, dtype=object), 28.0)
    return np.asarray(simple, dtype=object), np.array(values, dtype=np.int32)


@contextlib.contextmanager
def fixed_clock() -> Iterator[None]:
    """GDAL writes the time of the last change into a GeoPackage: the same file every time needs the same time."""
    before = os.environ.get("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _TIME})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})
