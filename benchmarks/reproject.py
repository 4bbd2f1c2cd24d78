"""A full OLCI frame to the lattice against netCDF4, pyresample (a k-d tree in ECEF) and rasterio, cut-off 600 m.

First the index map is compared with the exact nearest neighbour (pykdtree), then raced against pyresample's; then from
netCDF files to a raster of 21 bands with overviews, not compressed and deflated. Ours is the stage's COG; the peer's is
a GeoTIFF with overviews inside. The frame is simulated once and kept.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import netCDF4
import numpy as np
import rasterio
from frame import make_frame
from numpy.typing import NDArray
from pykdtree.kdtree import KDTree
from pyresample import kd_tree
from pyresample.geometry import GridDefinition, SwathDefinition
from race import race
from rasterio.enums import Resampling

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
_ROWS_AT_ONCE = 256
_BLOCK_PX = 256
_SAME_M = 0.1
"""The law takes the cell's cosine for all of the way to a pixel, which is centimetres off at the cut-off."""


def main() -> None:
    """Compare the distances, then race."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4091)
    parser.add_argument("--columns", type=int, default=4865, help="64 n + 1")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "landstream", help="keeps the frame")
    options = parser.parse_args()
    frame = make_frame(options.cache, options.rows, options.columns)
    _index_map(frame, options.rounds)
    with tempfile.TemporaryDirectory(dir=options.cache) as folder:
        for name, ours, theirs in (
            ("not compressed", {**NOISY, "COMPRESS": "NONE"}, {}),
            ("deflate", NOISY, {"compress": "deflate", "zlevel": 1, "num_threads": 2}),
        ):
            race(
                f"21 bands from netCDF to a raster, {name}",
                partial(_ours, frame, Path(folder) / "ours.tif", ours),
                {"netCDF4 + pyresample + rasterio": partial(_peer, frame, Path(folder) / "peer.tif", theirs)},
                options.rounds,
            )


def _index_map(frame: Path, rounds: int) -> None:
    positions, _, _ = _read(frame)
    window = window_over(*positions)
    assert window is not None
    _compare(nearest_source(*positions, window), positions, window)
    race(
        f"index map, {positions[0].shape[0]} x {positions[0].shape[1]} px",
        lambda: nearest_source(*positions, window),
        {"pyresample.kd_tree (pykdtree)": lambda: _peer_index(positions, window)},
        rounds,
    )


def _read(frame: Path) -> tuple[Positions, NDArray[np.uint32], FlagTable]:
    """Positions of the pixels that may be chosen, NaN = other; flags; what they mean."""
    latitude, longitude = read_positions(frame / "geo_coordinates.nc")
    flags, table = read_flags(frame / "qualityFlags.nc", latitude.shape)
    latitude[has(flags, table.mask("duplicated"))] = np.nan
    return (latitude, longitude), flags, table


def _ours(frame: Path, path: Path, options: dict[str, str]) -> None:
    positions, flags, table = _read(frame)
    window = window_over(*positions)
    assert window is not None
    index, lattice = nearest_source(*positions, window), lattice_of(window)
    del positions
    paths = {name: frame / f"{name}.nc" for name in OLCI_RADIANCES}
    strips = radiances(paths, table, flags.shape, index, gather_flags(flags, index))
    bands, encoding = [Band(name) for name in OLCI_RADIANCES], replace(MEASURED, options=options)
    write_cog(path, lattice, bands, strips, encoding, title="", attribution="")


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


def _peer(frame: Path, path: Path, options: dict[str, object]) -> None:
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


def _compare(index: NDArray[np.int32], positions: Positions, window: Window) -> None:
    """Print in how many cells the exact nearest pixel is nearer, and how many have one where ours have none."""
    latitude, longitude = (values.ravel() for values in positions)
    pixels = np.flatnonzero(np.isfinite(latitude) & np.isfinite(longitude))
    tree = KDTree(_ecef(longitude[pixels], latitude[pixels]))
    farther = alone = both = 0
    most_m = 0.0
    for top in range(0, window.ny, _ROWS_AT_ONCE):
        rows = Window(window.y + top, window.x, min(_ROWS_AT_ONCE, window.ny - top), window.nx)
        cells = _ecef(*(mesh.ravel() for mesh in _grid(rows)))
        exact_m, _ = tree.query(cells, distance_upper_bound=CUT_OFF_M)
        mine = index[top : top + rows.ny].ravel()
        ours_m = np.linalg.norm(cells - _ecef(longitude[mine], latitude[mine]), axis=1)
        has_both = (mine >= 0) & np.isfinite(exact_m)
        excess_m = (ours_m - exact_m)[has_both]
        both += int(has_both.sum())
        alone += int(((mine >= 0) != np.isfinite(exact_m)).sum())
        farther += int((excess_m > _SAME_M).sum())
        most_m = max(most_m, float(excess_m.max(initial=0)))
    print(f"{positions[0].shape} px to {(window.ny, window.nx)} cells, against the exact nearest neighbour:")
    print(f"  of {both} cells {farther} more than {_SAME_M} m farther (at most {most_m:.3f} m); {alone} of one alone")


def _ecef(longitude_deg: NDArray[np.float64], latitude_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cartesian coordinates in metres on the mean sphere, as the law has it, (point, 3)."""
    longitude, latitude = np.radians(longitude_deg), np.radians(latitude_deg)
    x, y = np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude)
    return np.stack([x, y, np.sin(latitude)], axis=1) * CELL_M * math.degrees(CELLS_PER_DEG)


if __name__ == "__main__":
    main()
