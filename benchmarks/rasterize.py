"""Label polygons to a Sentinel-2 tile's 10,980 x 10,980 pixels, against rasterio and GDAL's own program.

The program is raced where it is installed (Debian: `apt-get install gdal-bin`).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import Affine
from scipy.ndimage import distance_transform_cdt, maximum_filter, minimum_filter

from benchmarks.race import Peer, Race, main
from services.rasterize.burn import burn
from services.rasterize.distance import CAP_PX, edge_distances
from services.rasterize.process import STRIP_PX

POLYGONS = 20_000
SIDE_PX = 10_980
SIDE_M = SIDE_PX * 10
SHAPE = (SIDE_PX, SIDE_PX)
TRANSFORM = (10.0, 0.0, 0.0, 0.0, -10.0, float(SIDE_M))
PROGRAM = "gdal_rasterize"

Rasters = tuple[NDArray[np.uint32], NDArray[np.uint8], NDArray[np.uint8]]


def races(folder: Path) -> Iterator[Race]:
    """Yield the races of the rasteriser."""
    polygons, classes = make_polygons()
    numbers = np.arange(1, len(polygons) + 1, dtype=np.uint32)
    class_of = np.append(np.uint8(0), classes)
    vertices = shapely.get_num_coordinates(polygons).sum() / 1e6

    def ours() -> NDArray[np.uint32]:
        return np.concatenate([strip for _, strip in burn(polygons, numbers, TRANSFORM, SHAPE, STRIP_PX)])

    def all_of_ours() -> Rasters:
        drawn = ours()
        found = class_of[drawn]
        strips = edge_distances(lambda top, bottom: found[top:bottom], SIDE_PX, STRIP_PX)
        return drawn, found, np.concatenate([strip for _, strip in strips])

    def theirs() -> NDArray[np.uint32]:
        shapes = zip(polygons, numbers.tolist(), strict=True)
        drawn: NDArray[np.uint32] = rasterize(shapes, SHAPE, transform=Affine(*TRANSFORM), dtype="uint32")
        return drawn

    def all_of_theirs() -> Rasters:
        found = rasterize(zip(polygons, classes.tolist(), strict=True), SHAPE, transform=Affine(*TRANSFORM))
        apart = maximum_filter(found, 3, mode="nearest") != minimum_filter(found, 3, mode="nearest")
        distance = distance_transform_cdt(~apart, "chessboard") + 1
        return theirs(), found, np.where(found > 0, distance.clip(max=CAP_PX), 0).astype(np.uint8)

    what = f"{len(polygons):,} polygons, {vertices:.1f} M vertices, to {SIDE_PX:,} x {SIDE_PX:,}"
    yield Race(
        f"raster: {what}",
        ours,
        [Peer("rasterio.features.rasterize", theirs, 4.5, np.array_equal, "rasterio")],
    )
    yield Race(
        "raster: polygon, class and confidence of the same",
        all_of_ours,
        [Peer("rasterio twice, SciPy's distance transform", all_of_theirs, 4.5, _all_equal, "rasterio")],
    )
    if shutil.which(PROGRAM):
        source = folder / f"polygons-{POLYGONS}.gpkg"
        if not source.exists():
            fields = {"geometry_type": "Polygon", "crs": "EPSG:32634", "layer": "polygons"}
            wkb, values = shapely.to_wkb(polygons), [numbers.astype(np.int64)]
            pyogrio.raw.write(source, wkb, values, ["number"], **fields)
        yield Race(
            "raster: the same from a GeoPackage to a GeoTIFF",
            lambda: _from_file(source, folder / "ours.tif"),
            [Peer(f"the program {PROGRAM}", lambda: _by_program(source, folder / "peer.tif"), 1.3, _files_equal)],
        )


def _all_equal(mine: Rasters, other: Rasters) -> bool:
    pairs: zip[tuple[Any, Any]] = zip(mine, other, strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def _files_equal(mine: Path, other: Path) -> bool:
    return np.array_equal(_read(mine), _read(other))


def make_polygons() -> tuple[NDArray[np.object_], NDArray[np.uint8]]:
    """Return polygons as Corine's, about 75 vertices each, off the straight line, and their classes."""
    rng = np.random.default_rng(0)
    points = shapely.MultiPoint(rng.uniform(0, SIDE_M, (POLYGONS, 2)))
    cells = shapely.get_parts(shapely.voronoi_polygons(points, extend_to=shapely.box(0, 0, SIDE_M, SIDE_M)))
    dense = shapely.segmentize(cells, 40.0)
    polygons = np.asarray(shapely.transform(dense, lambda xy: xy + 9 * np.sin(xy[:, ::-1] / 60)), dtype=object)
    return polygons, rng.integers(1, 45, len(polygons)).astype(np.uint8)


def _from_file(source: Path, target: Path) -> Path:
    """Read, burn and write, as the program does."""
    _, _, wkb, (numbers,) = pyogrio.raw.read(source, columns=["number"])
    strips = burn(shapely.from_wkb(wkb), numbers.astype(np.uint32), TRANSFORM, SHAPE, STRIP_PX)
    profile = {"driver": "GTiff", "height": SIDE_PX, "width": SIDE_PX, "count": 1, "dtype": "uint32"}
    with rasterio.open(target, "w", transform=Affine(*TRANSFORM), crs="EPSG:32634", **profile) as file:
        for top, strip in strips:
            file.write(strip, 1, window=((top, top + len(strip)), (0, SIDE_PX)))
    return target


def _by_program(source: Path, target: Path) -> Path:
    extent, size = ["0", "0", str(SIDE_M), str(SIDE_M)], [str(SIDE_PX), str(SIDE_PX)]
    target.unlink(missing_ok=True)
    options = ["-q", "-a", "number", "-ot", "UInt32", "-te", *extent, "-ts", *size]
    subprocess.run([PROGRAM, *options, str(source), str(target)], check=True)
    return target


def _read(path: Path) -> NDArray[np.uint32]:
    with rasterio.open(path) as file:
        values: NDArray[np.uint32] = file.read(1)
        return values


if __name__ == "__main__":
    main(races, __doc__)
