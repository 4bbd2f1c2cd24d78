"""Random tiles of one week through `Cube.msi` against a loop over plain zarr arrays in a folder, chunks alike."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from race import race
from zarr.codecs import BloscCodec

from shared.area import Area
from shared.cube import open_cube
from shared.geo import TILE_10M_PX, TILE_20M_PX

ROWS = 12
WEEK = 20


def main() -> None:
    """Fill both, check that they agree, then race."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    grid = {"epsg": 32634, "origin_x_m": 600_000, "origin_y_m": 5_100_000, "rows": ROWS, "cols": ROWS}
    area = Area.model_validate(
        {"name": "tiles", "aoi": [22.3, 46, 22.4, 46.1], "grid": grid, "labels": "clc-level1", "label_year": 2018,
         "years": [2018]}
    )  # fmt: skip
    rng = np.random.default_rng(0)
    sides = {"10m": (ROWS * TILE_10M_PX, TILE_10M_PX, 4), "20m": (ROWS * TILE_20M_PX, TILE_20M_PX, 6)}
    scene = {}
    for name, (side, _, bands) in sides.items():
        smooth = 2000 + 800 * np.sin(np.arange(side) / 40)[:, None, None]
        scene[name] = (smooth + rng.normal(0, 30, (side, side, bands))).astype(np.uint16)
    with tempfile.TemporaryDirectory() as folder:
        cube = open_cube(f"{folder}/cube", area, "write")

        def fill(group: zarr.Group, again: object) -> None:
            for name, values in scene.items():
                group[f"Sentinel-2/MSI/{name}"][WEEK] = values  # type: ignore[index]

        cube.write_year(2018, fill, "tiles")
        plain = {}
        for name, (side, chunk, bands) in sides.items():
            plain[name] = zarr.create_array(
                Path(folder) / name,
                shape=(53, side, side, bands),
                chunks=(1, chunk, chunk, bands),
                dtype="uint16",
                compressors=BloscCodec(cname="zstd", clevel=1, shuffle="shuffle"),
            )
            plain[name][WEEK] = scene[name]
        corners = rng.integers(0, ROWS, (options.tiles, 2)) * TILE_10M_PX

        def ours() -> list[tuple[Any, ...]]:
            return [cube.msi(f"2018-W{WEEK + 1}", y, x, TILE_10M_PX, TILE_10M_PX) for y, x in corners.tolist()]

        def loop(fine: Any, coarse: Any) -> list[tuple[Any, ...]]:
            found = []
            for y, x in corners.tolist():
                part = fine[WEEK, y : y + TILE_10M_PX, x : x + TILE_10M_PX]
                v, u = y // 2, x // 2
                found.append((part, coarse[WEEK, v : v + TILE_20M_PX, u : u + TILE_20M_PX]))
            return found

        def peer() -> list[tuple[Any, ...]]:
            return loop(plain["10m"], plain["20m"])

        def icechunk() -> list[tuple[Any, ...]]:
            return loop(cube.array("2018/Sentinel-2/MSI/10m"), cube.array("2018/Sentinel-2/MSI/20m"))

        for mine, theirs in zip(ours(), peer(), strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))
        race(
            f"{options.tiles} random tiles, 10 and 20 m bands",
            ours,
            {"z[...] in a loop, plain zarr": peer, "z[...] in a loop, Icechunk": icechunk},
            options.rounds,
        )


if __name__ == "__main__":
    main()
