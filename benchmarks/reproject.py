"""The index map of an OLCI swath against pyresample's nearest neighbour (a k-d tree in ECEF), cut-off 600 m."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from pyresample import kd_tree
from pyresample.geometry import GridDefinition, SwathDefinition
from race import race

from services.reprojection.lattice import CELLS_PER_DEG, latitudes_deg, window_over
from services.reprojection.nearest import CUT_OFF_M, nearest_source
from shared.raster.grid import Window
from simulator.olci import Swath


def main() -> None:
    """Compare the distances, then race."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1024)
    parser.add_argument("--columns", type=int, default=1217, help="64 n + 1; a frame has 4865")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    swath = Swath(24.0, 45.9, options.rows, options.columns, 40.0, datetime(2018, 6, 26, tzinfo=UTC))
    shape = (options.rows, options.columns)
    # Off the regular raster by up to half a pixel, as terrain and instrument make it.
    shift = np.random.default_rng(0).uniform(-0.5, 0.5, (2, *shape))
    row, column = np.indices(shape) + shift
    longitude, latitude = swath.locate(row, column)
    window = window_over(latitude.ravel(), longitude.ravel())
    assert window is not None
    candidate = np.ones(shape, bool)
    lons = -180 + (window.x + np.arange(window.nx) + 0.5) / CELLS_PER_DEG
    target = GridDefinition(*np.meshgrid(lons, latitudes_deg(window)))  # type: ignore[no-untyped-call]
    source = SwathDefinition(longitude, latitude)  # type: ignore[no-untyped-call]

    def ours() -> NDArray[np.int32]:
        return nearest_source(latitude, longitude, candidate, window)

    def peer() -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        used, _, index, _ = kd_tree.get_neighbour_info(source, target, CUT_OFF_M, neighbours=1)  # type: ignore[no-untyped-call]
        return used, index

    used, index = peer()
    found = np.append(np.flatnonzero(used), -1)[np.minimum(index, int(used.sum()))].reshape(window.ny, window.nx)
    mine = ours()
    both = (mine >= 0) & (found >= 0)
    farther = _metres(mine, latitude, longitude, window) - _metres(found, latitude, longitude, window)
    alone = ((mine >= 0) != (found >= 0)).sum()
    print(f"{shape} -> {(window.ny, window.nx)}: {both.sum()} cells, {alone} of one alone;")
    print(f"  in {(farther[both] > 0.5).sum()} ours is more than 0.5 m farther than the peer's")
    race(f"index map, {shape[0]} x {shape[1]} px", ours, {"pyresample.kd_tree (pykdtree)": peer}, options.rounds)


def _metres(
    index: NDArray[np.integer], latitude: NDArray[np.float64], longitude: NDArray[np.float64], window: Window
) -> NDArray[np.float64]:
    """Distance of each cell from its pixel, on a sphere."""
    cell_latitude = latitudes_deg(window)[:, None]
    cell_longitude = -180 + (window.x + np.arange(window.nx) + 0.5) / CELLS_PER_DEG
    up = latitude.ravel()[index] - cell_latitude
    across = (longitude.ravel()[index] - cell_longitude) * np.cos(np.radians(cell_latitude))
    return np.asarray(np.radians(np.hypot(up, across)) * 6_371_008.8)


if __name__ == "__main__":
    main()
