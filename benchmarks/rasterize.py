"""Burning label polygons in strips against one call of rasterio.features.rasterize, which the product calls too."""

from __future__ import annotations

import argparse

import numpy as np
import shapely
from numpy.typing import NDArray
from race import race
from rasterio.features import rasterize
from rasterio.transform import Affine

from services.rasterize.burn import burn

SIDE_PX = 10_980


def main() -> None:
    """Check that both agree, then race."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--polygons", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    side_m = SIDE_PX * 10
    rng = np.random.default_rng(0)
    points = shapely.MultiPoint(rng.uniform(0, side_m, (options.polygons, 2)))
    cells = shapely.get_parts(shapely.voronoi_polygons(points, extend_to=shapely.box(0, 0, side_m, side_m)))
    # About 75 vertices each, off the straight line, as Corine's outlines are.
    dense = shapely.segmentize(cells, 40.0)
    polygons = np.asarray(shapely.transform(dense, lambda xy: xy + 9 * np.sin(xy[:, ::-1] / 60)), dtype=object)
    values = rng.integers(1, 45, len(polygons)).astype(np.uint8)
    transform = (10.0, 0.0, 0.0, 0.0, -10.0, float(side_m))

    def ours() -> list[tuple[int, NDArray[np.uint8]]]:
        return list(burn(polygons, values, transform, (SIDE_PX, SIDE_PX)))

    def peer() -> NDArray[np.uint8]:
        shapes = zip(polygons, values.tolist(), strict=True)
        out: NDArray[np.uint8] = rasterize(shapes, out_shape=(SIDE_PX, SIDE_PX), transform=Affine(*transform))
        return out

    different = np.count_nonzero(np.concatenate([strip for _, strip in ours()]) != peer())
    vertices = int(shapely.get_num_coordinates(polygons).sum())
    what = f"{len(polygons)} polygons of {vertices} vertices to {SIDE_PX} x {SIDE_PX}"
    print(f"{different} pixels differ")
    race(what, ours, {"rasterio.features.rasterize": peer}, options.rounds)


if __name__ == "__main__":
    main()
