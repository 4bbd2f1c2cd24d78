"""Merge Sentinel-2 scenes into the cube, a block of tiles at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import zarr

from services.tiler.arrays import read, write
from services.tiler.ledger import Ledger
from services.tiler.merge_laws import Cells, take, wins
from services.tiler.scene import Block, Scene, tiles_of
from services.tiler.update import Progress, Sensor, Tiles
from shared.cube.layout import MSI
from shared.geo import TILE_20M_PX, TILE_M, TileIndex


def merge_scene(
    group: zarr.Group, week: int, scene: Scene, ledger: Ledger, only: Tiles | None, progress: Progress
) -> None:
    """Merge a scene's rows of blocks, and the 60 m pixels that end in them; see `Sensor.merge`."""
    rows = scene.blocks(near=only)
    count, done, new = sum(map(len, rows)), 0, set[TileIndex]()
    for row in scene.walk(rows):
        for block, cells in row.blocks:
            progress(done, count)
            done += 1
            tiles = [t for t in tiles_of(block, cells.source > 0) if only is None or t in only]
            lacking = set(ledger.lacking(tiles, scene.number))
            for tile in sorted(lacking):
                ledger.add(tile, scene.number, scene.product)
            if lacking:
                _merge_block(group, week, block, _masked(cells, block, lacking))
            new |= lacking
        # A pixel may lie in two rows of tiles.
        near = {tile for tile in new if tile.row >= row.blocks[0][0].row0 - 1}
        if near:
            _merge_60m(group, week, row.y, row.x, _near(row.pixels, row.y, row.x, near))
    progress(count, count)


def _masked(cells: Cells, block: Block, tiles: set[TileIndex]) -> Cells:
    """Keep the cells of some tiles of a block; the others do not compete."""
    source = cells.source.copy()
    for tile in block.tiles():
        if tile not in tiles:
            y, x = (tile.row - block.row0) * TILE_20M_PX, (tile.col - block.col0) * TILE_20M_PX
            source[y : y + TILE_20M_PX, x : x + TILE_20M_PX] = 0
    return replace(cells, source=source)


def _near(cells: Cells, y: int, x: int, tiles: set[TileIndex]) -> Cells:
    """Keep the 60 m pixels that share area with some tiles; the others do not compete."""
    keep = np.zeros(cells.source.shape, bool)
    for tile in tiles:
        rows, cols = _span_60m(tile)
        keep[max(0, rows.start - y) : rows.stop - y, max(0, cols.start - x) : cols.stop - x] = True
    return replace(cells, source=np.where(keep, cells.source, np.uint8(0)))


def _span_60m(tile: TileIndex) -> tuple[slice, slice]:
    """Rows and columns of the 60 m pixels that share area with a tile."""
    return (
        slice(tile.row * TILE_M // 60, -(-(tile.row + 1) * TILE_M // 60)),
        slice(tile.col * TILE_M // 60, -(-(tile.col + 1) * TILE_M // 60)),
    )


def _merge_block(group: zarr.Group, week: int, block: Block, candidate: Cells) -> None:
    y, y1, x, x1 = (n * TILE_20M_PX for n in (block.row0, block.row1, block.col0, block.col1))
    fine = (week, slice(2 * y, 2 * y1), slice(2 * x, 2 * x1))
    coarse = (week, slice(y, y1), slice(x, x1))
    _merge_at(group, candidate, {f"{MSI}/10m": fine, f"{MSI}/20m": coarse}, f"{MSI}/20m", coarse)


def _merge_60m(group: zarr.Group, week: int, y: int, x: int, candidate: Cells) -> None:
    ny, nx = candidate.source.shape
    at = (week, slice(y, y + ny), slice(x, x + nx))
    _merge_at(group, candidate, {f"{MSI}/60m": at}, f"{MSI}/60m", at)


def _merge_at(group: zarr.Group, candidate: Cells, layers: dict[str, Any], name: str, at: Any) -> None:
    """Read, merge and write the layers and the two keys of one window, if the candidate wins anywhere."""
    distance = f"{name}_cloud_distance_px"
    source = read(group, f"{name}_source", at)
    if source.any():
        stored = Cells(
            tuple(read(group, path, where) for path, where in layers.items()), source, read(group, distance, at)
        )
    else:  # nothing is there yet, which takes no reading
        stored = Cells(tuple(map(np.zeros_like, candidate.layers)), source, source)
    won = wins(candidate, stored)
    if not won.any():
        return
    merged = take(won, candidate, stored)
    for (path, where), values in zip(layers.items(), merged.layers, strict=True):
        write(group, path, where, values)
    write(group, f"{name}_source", at, merged.source)
    write(group, distance, at, merged.distance)


def clear_tile(group: zarr.Group, week: int, tile: TileIndex) -> None:
    """Empty a tile-week; 60 m pixels that it shares with a neighbour too."""
    y, x = tile.row * TILE_20M_PX, tile.col * TILE_20M_PX
    fine = (week, slice(2 * y, 2 * (y + TILE_20M_PX)), slice(2 * x, 2 * (x + TILE_20M_PX)))
    coarse = (week, slice(y, y + TILE_20M_PX), slice(x, x + TILE_20M_PX))
    pixels = (week, *_span_60m(tile))
    write(group, f"{MSI}/10m", fine, 0)
    for name, at in (("20m", coarse), ("60m", pixels)):
        for suffix in ("", "_source", "_cloud_distance_px"):
            write(group, f"{MSI}/{name}{suffix}", at, 0)


SENTINEL_2: Final = Sensor(MSI, clear_tile, merge_scene)
