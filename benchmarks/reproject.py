"""A full OLCI frame to the lattice against netCDF4, pyresample (a k-d tree in ECEF) and rasterio, cut-off 600 m.

The index map is compared with the exact nearest neighbour (pykdtree), and raced against pyresample's; then from netCDF
files to a raster of 21 bands with overviews, not compressed and deflated. Ours is the stage's COG; the peer's is a
GeoTIFF with overviews inside. The frame is simulated once and kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import netCDF4
import numpy as np
import rasterio
from numpy.typing import NDArray
from pykdtree.kdtree import KDTree
from pyresample import kd_tree
from pyresample.geometry import GridDefinition, SwathDefinition
from rasterio.enums import Resampling

from benchmarks.frame import make_frame
from benchmarks.race import Peer, Race, main
from services.reprojection.flags import FlagTable, has
from services.reprojection.gather import gather_flags
from services.reprojection.lattice import CELLS_PER_DEG, latitudes_deg, lattice_of, window_over
from services.reprojection.nearest import CELL_M, CUT_OFF_M, nearest_source
from services.reprojection.process import MEASURED, radiances
from services.reprojection.read_frame import read_flags, read_positions
from shared.raster.cog import NOISY, Band, write_cog
from shared.raster.grid import Window
from shared.sensors import OLCI_RADIANCES

Positions = tuple[NDArray[np.float64], NDArray[np.float64]]
ROWS, COLUMNS = 4091, 4865
_ALIKE = 0.8
"""A tenth of the cells have two pixels that are equally near; the exactness of ours is shown by distance."""
_ROWS_AT_ONCE = 256
_BLOCK_PX = 256
_SAME_M = 0.1
"""The law takes the cell's cosine for all of the way to a pixel, which is centimetres off at the cut-off."""


def races(folder: Path) -> Iterator[Race]:
    """Yield the races of a full OLCI frame."""
    frame = make_frame(folder, ROWS, COLUMNS)
    positions, _, _ = _read(frame)
    window = window_over(*positions)
    assert window is not None
    yield Race(
        f"olci: index map of {ROWS:,} x {COLUMNS:,} pixels",
        lambda: nearest_source(*positions, window),
        [
            Peer(
                "pyresample kd_tree",
                lambda: _peer_index(positions, window),
                10,
                lambda mine, _: _is_nearest(mine, positions, window),
                "pyresample",
            )
        ],
    )
    for name, goal, ours, theirs in (
        ("not compressed", 4, {**NOISY, "COMPRESS": "NONE"}, {}),
        ("deflate", 2, NOISY, {"compress": "deflate", "zlevel": 1, "num_threads": 2}),
    ):
        peer = partial(_peer, frame, folder / "peer.tif", theirs)
        yield Race(
            f"olci: 21 bands from netCDF to a raster with overviews, {name}",
            partial(_ours, frame, folder / "ours.tif", ours),
            [Peer("netCDF4 + pyresample + rasterio", peer, goal, _are_alike, "pyresample")],
        )
    for path in (folder / "ours.tif", folder / "peer.tif"):
        path.unlink(missing_ok=True)


def _read(frame: Path) -> tuple[Positions, NDArray[np.uint32], FlagTable]:
    """Positions of the pixels that may be chosen, NaN = other; flags; what they mean."""
    latitude, longitude = read_positions(frame / "geo_coordinates.nc")
    flags, table = read_flags(frame / "qualityFlags.nc", latitude.shape)
    latitude[has(flags, table.mask("duplicated"))] = np.nan
    return (latitude, longitude), flags, table


def _ours(frame: Path, path: Path, options: Mapping[str, str]) -> Path:
    positions, flags, table = _read(frame)
    window = window_over(*positions)
    assert window is not None
    index, lattice = nearest_source(*positions, window), lattice_of(window)
    paths = {name: frame / f"{name}.nc" for name in OLCI_RADIANCES}
    strips = radiances(paths, table, flags.shape, index, gather_flags(flags, index))
    bands, encoding = [Band(name) for name in OLCI_RADIANCES], replace(MEASURED, options=options)
    write_cog(path, lattice, bands, strips, encoding, title="", attribution="")
    return path


def _grid(window: Window) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitude and latitude of each cell's centre, (y, x)."""
    longitude = lattice_of(window).x + (np.arange(window.nx) + 0.5) * lattice_of(window).pixel
    meshes = np.meshgrid(longitude, latitudes_deg(window))
    return meshes[0], meshes[1]


def _peer_index(positions: Positions, window: Window) -> tuple[NDArray[np.bool_], NDArray[np.int64], GridDefinition]:
    latitude, longitude = positions
    target = GridDefinition(*_grid(window))  # type: ignore[no-untyped-call]
    source = SwathDefinition(np.ma.masked_invalid(longitude), np.ma.masked_invalid(latitude))  # type: ignore[no-untyped-call]
    used, _, index, _ = kd_tree.get_neighbour_info(source, target, CUT_OFF_M, neighbours=1)  # type: ignore[no-untyped-call]
    return used, index, target


def _peer(frame: Path, path: Path, options: dict[str, object]) -> Path:
    with netCDF4.Dataset(frame / "geo_coordinates.nc") as data:
        latitude, longitude = (np.ma.filled(data[name][:], np.nan) for name in ("latitude", "longitude"))
    with netCDF4.Dataset(frame / "qualityFlags.nc") as data:
        masks = dict(zip(data["quality_flags"].flag_meanings.split(), data["quality_flags"].flag_masks, strict=True))
        flags = np.asarray(data["quality_flags"][:])
    latitude[flags & masks["duplicated"] != 0] = np.nan
    window = window_over(latitude, longitude)
    assert window is not None
    used, index, target = _peer_index((latitude, longitude), window)
    profile = {
        "driver": "GTiff", "dtype": "float32", "count": len(OLCI_RADIANCES), "height": window.ny, "width": window.nx,
        "nodata": math.nan, "tiled": True, "blockxsize": _BLOCK_PX, "blockysize": _BLOCK_PX, "interleave": "band",
        "bigtiff": "YES", "crs": "EPSG:4326", "transform": rasterio.Affine(*lattice_of(window).transform),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile, **options) as image:
        for band, name in enumerate(OLCI_RADIANCES, start=1):
            with netCDF4.Dataset(frame / f"{name}.nc") as data:
                radiance = np.ma.filled(data[f"Oa{band:02d}_radiance"][:].astype(np.float32), np.nan)
            radiance[flags & (masks["invalid"] | masks[f"saturated@Oa{band:02d}"]) != 0] = np.nan
            values = kd_tree.get_sample_from_neighbour_info(  # type: ignore[no-untyped-call]
                "nn", target.shape, radiance, used, np.ones(target.size, bool), index, fill_value=math.nan
            )
            image.write(values, band)
    with rasterio.open(path, "r+") as image:
        image.build_overviews([2, 4, 8, 16], Resampling.nearest)
    return path


def _is_nearest(index: NDArray[np.int32], positions: Positions, window: Window) -> bool:
    """Return whether no cell has a pixel that is farther than the exact nearest one, or one where there is none."""
    latitude, longitude = (values.ravel() for values in positions)
    pixels = np.flatnonzero(np.isfinite(latitude) & np.isfinite(longitude))
    tree = KDTree(_ecef(longitude[pixels], latitude[pixels]))
    for top in range(0, window.ny, _ROWS_AT_ONCE):
        rows = Window(window.y + top, window.x, min(_ROWS_AT_ONCE, window.ny - top), window.nx)
        cells = _ecef(*(mesh.ravel() for mesh in _grid(rows)))
        exact_m, _ = tree.query(cells, distance_upper_bound=CUT_OFF_M)
        mine = index[top : top + rows.ny].ravel()
        ours_m = np.linalg.norm(cells - _ecef(longitude[mine], latitude[mine]), axis=1)
        there = mine >= 0
        if not np.array_equal(there, np.isfinite(exact_m)) or (ours_m - exact_m > _SAME_M)[there].any():
            return False
    return True


def _are_alike(mine: Path, other: Path) -> bool:
    """Return whether two rasters agree, but where two pixels are as near: their values are not those of one pixel."""
    with rasterio.open(mine) as ours, rasterio.open(other) as theirs:
        for band in (1, 13, 21):
            a, b = ours.read(band), theirs.read(band)
            both = np.isfinite(a) & np.isfinite(b)
            if (
                a.shape != b.shape
                or (a[both] == b[both]).mean() < _ALIKE
                or both.mean() < _ALIKE * np.isfinite(a).mean()
            ):
                return False
    return True


def _ecef(longitude_deg: NDArray[np.float64], latitude_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cartesian coordinates in metres on the mean sphere, as the law has it, (point, 3)."""
    longitude, latitude = np.radians(longitude_deg), np.radians(latitude_deg)
    x, y = np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude)
    return np.stack([x, y, np.sin(latitude)], axis=1) * CELL_M * math.degrees(CELLS_PER_DEG)


if __name__ == "__main__":
    main(races, __doc__)
