"""Random tiles of one week, 10 and 20 m bands, through `Cube.msi_windows` against loops over zarr arrays, chunks alike.

The peers read tile by tile, as such loops do: plain zarr arrays in a folder, and the cube's own Icechunk arrays. Once
from a folder, and once where each request takes 20 ms longer (on all sides, within the zarr store).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.storage import LocalStore

from benchmarks.distant import Distant, DistantCube
from benchmarks.race import Peer, Race, main
from shared.area import Area
from shared.cube import Cube, open_cube
from shared.cube.layout import COMPRESSOR
from shared.geo import TILE_10M_PX, TILE_20M_PX
from shared.raster.grid import Window

ROWS = 16
WEEK = 20


def races(folder: Path) -> Iterator[Race]:
    """Yield the races of reading."""
    grid = {"epsg": 32634, "origin_x_m": 600_000, "origin_y_m": 5_100_000, "rows": ROWS, "cols": ROWS}
    area = Area.model_validate(
        {"name": "tiles", "aoi": [22.3, 46, 22.4, 46.1], "grid": grid, "labels": "clc-level1", "label_year": 2018,
         "years": [2018]}
    )  # fmt: skip
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as scratch:
        cube, plain = _fill(Path(scratch), area, rng)
        mixed = rng.permutation(ROWS * ROWS).tolist()
        for latency_ms, count, goal in ((0, 200, 3), (20, 64, 15)):
            Distant.latency_s = latency_ms / 1000
            tiles = mixed[:count]  # none is read twice
            given = list(plain.values())
            own = [cube.array(f"2018/Sentinel-2/MSI/{name}") for name in plain]
            yield Race(
                f"read: {count} random tiles, 10 and 20 m bands, {latency_ms} ms more for each request",
                partial(_ours, cube, tiles),
                [
                    Peer(
                        "z[...] in a loop, plain zarr",
                        partial(_loop, given, tiles),
                        goal,
                        _alike,
                        "zarr",
                    ),
                    Peer("z[...] in a loop, Icechunk", partial(_loop, own, tiles), goal, _alike, "icechunk"),
                ],
            )


def _fill(folder: Path, area: Area, rng: np.random.Generator) -> tuple[Cube, dict[str, Any]]:
    """Return a cube and plain zarr arrays with the same pixels in the same chunks."""
    sides = {"10m": (ROWS * TILE_10M_PX, TILE_10M_PX, 4), "20m": (ROWS * TILE_20M_PX, TILE_20M_PX, 6)}
    scene, plain = {}, {}
    for name, (side, chunk, bands) in sides.items():
        smooth = 2000 + 800 * np.sin(np.arange(side) / 40)[:, None, None]
        scene[name] = (smooth + rng.normal(0, 30, (side, side, bands))).astype(np.uint16)
        plain[name] = zarr.create_array(
            Distant(LocalStore(folder / name)),
            shape=(53, side, side, bands),
            chunks=(1, chunk, chunk, bands),
            dtype="uint16",
            compressors=COMPRESSOR,
        )
        plain[name][WEEK] = scene[name]

    def fill(group: zarr.Group, again: object) -> None:
        for name, values in scene.items():
            group[f"Sentinel-2/MSI/{name}"][WEEK] = values  # type: ignore[index]

    open_cube(f"{folder}/cube", area, "write").write_year(2018, fill, "tiles")
    return DistantCube.opened(f"{folder}/cube", area), plain


def _ours(cube: Cube, tiles: list[int]) -> list[tuple[Any, ...]]:
    side = TILE_10M_PX
    places = [(t // ROWS * side, t % ROWS * side) for t in tiles]
    return list(cube.msi_windows((f"2018-W{WEEK + 1}", Window(y, x, side, side)) for y, x in places))


def _loop(arrays: Sequence[Any], tiles: list[int]) -> list[tuple[Any, ...]]:
    found = []
    for y, x in (divmod(tile, ROWS) for tile in tiles):
        parts = []
        for array, side in zip(arrays, (TILE_10M_PX, TILE_20M_PX), strict=True):
            parts.append(array[WEEK, y * side : (y + 1) * side, x * side : (x + 1) * side])
        found.append(tuple(parts))
    return found


def _alike(mine: list[tuple[Any, ...]], other: list[tuple[Any, ...]]) -> bool:
    return all(np.array_equal(a, b) for m, o in zip(mine, other, strict=True) for a, b in zip(m, o, strict=True))


if __name__ == "__main__":
    main(races, __doc__)
