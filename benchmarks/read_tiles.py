"""Random tiles of one week, 10 and 20 m bands, through `Cube.msi_windows` against loops over zarr arrays, chunks alike.

The peers read tile by tile, as such loops do: plain zarr arrays in a folder, and the cube's own Icechunk arrays. Once
from a folder, and once where each request takes `--latency-ms` longer (on all sides, within the zarr store).
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from distant import Distant, DistantCube
from race import race
from zarr.storage import LocalStore

from shared.area import Area
from shared.cube import open_cube
from shared.cube.layout import COMPRESSOR
from shared.geo import TILE_10M_PX, TILE_20M_PX
from shared.raster.grid import Window

ROWS = 16
WEEK = 20


def main() -> None:
    """Fill both, check that they agree, then race."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=int, default=200, help="none is read twice")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--latency-ms", type=float, default=20)
    parser.add_argument("--distant-tiles", type=int, default=64, help="tiles where requests take longer")
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

        def fill(group: zarr.Group, again: object) -> None:
            for name, values in scene.items():
                group[f"Sentinel-2/MSI/{name}"][WEEK] = values  # type: ignore[index]

        open_cube(f"{folder}/cube", area, "write").write_year(2018, fill, "tiles")
        cube = DistantCube.opened(f"{folder}/cube", area)
        plain = {}
        for name, (side, chunk, bands) in sides.items():
            plain[name] = zarr.create_array(
                Distant(LocalStore(Path(folder) / name)),
                shape=(53, side, side, bands),
                chunks=(1, chunk, chunk, bands),
                dtype="uint16",
                compressors=COMPRESSOR,
            )
            plain[name][WEEK] = scene[name]
        all_of_them = rng.permutation(ROWS * ROWS)[: options.tiles]

        def ours(tiles: list[int]) -> list[tuple[Any, ...]]:
            side = TILE_10M_PX
            places = [(t // ROWS * side, t % ROWS * side) for t in tiles]
            return list(cube.msi_windows((f"2018-W{WEEK + 1}", Window(y, x, side, side)) for y, x in places))

        def loop(fine: Any, coarse: Any, tiles: list[int]) -> list[tuple[Any, ...]]:
            found = []
            for y, x in (divmod(tile, ROWS) for tile in tiles):
                parts = []
                for array, side in ((fine, TILE_10M_PX), (coarse, TILE_20M_PX)):
                    parts.append(array[WEEK, y * side : (y + 1) * side, x * side : (x + 1) * side])
                found.append(tuple(parts))
            return found

        peers = {
            "z[...] in a loop, plain zarr": partial(loop, plain["10m"], plain["20m"]),
            "z[...] in a loop, Icechunk": partial(
                loop, cube.array("2018/Sentinel-2/MSI/10m"), cube.array("2018/Sentinel-2/MSI/20m")
            ),
        }
        for latency_ms, count in ((0.0, options.tiles), (options.latency_ms, options.distant_tiles)):
            Distant.latency_s = latency_ms / 1000
            tiles = all_of_them[:count].tolist()
            for peer in peers.values():
                for mine, theirs in zip(ours(tiles), peer(tiles), strict=True):
                    assert all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))
            race(
                f"{count} random tiles, 10 and 20 m bands, {latency_ms:.0f} ms more for each request",
                partial(ours, tiles),
                {name: partial(peer, tiles) for name, peer in peers.items()},
                options.rounds,
            )


if __name__ == "__main__":
    main()
