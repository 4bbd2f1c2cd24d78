"""A Sentinel-2 scene as candidate cells of the area's grid."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from services.tiler.merge import MAX_DISTANCE_PX, U8, U16, Cells, Mask, nine_cells, source_code
from services.tiler.place import Lattice, footprint_m, gather, source_index
from shared.cube import BANDS
from shared.geo import Grid, MgrsTile, TileIndex
from shared.items.keys import product_number
from shared.stage import LocalItem

TILE_PX = 128
"""Side of a tile in 20 m px."""

BLOCK_TILES = 4
"""Tiles along a side of a block, the unit that is merged at a time."""

CLOUD, SHADOW = 2, 3
STORED_OFFSET = 1000
QUANTIFICATION = 10_000


def assets_of(level: str) -> tuple[str, ...]:
    """Band assets that the cube takes from a scene of this level."""
    coarse = BANDS[f"60m-{level}"]
    return (
        *(f"{b}_10m" for b in BANDS["10m"]),
        *(f"{b}_20m" for b in BANDS["20m"]),
        *(f"{b}_60m" for b in coarse),
    )


def to_stored(dn: U16, offset: float, quantification: float) -> U16:
    """DN to the cube's encoding: DN + offset + 1000 at quantification 10,000, clipped to 1..65535; 0 = nodata.

    Source: Sentinel-2 Products Specification Document, BOA_ADD_OFFSET and RADIO_ADD_OFFSET.
    """
    if offset == -STORED_OFFSET and quantification == QUANTIFICATION:
        return dn
    if quantification == QUANTIFICATION and float(offset).is_integer():
        value = dn.astype(np.int32) + (int(offset) + STORED_OFFSET)
    else:
        value = np.rint((dn + float(offset)) * (QUANTIFICATION / quantification) + STORED_OFFSET).astype(np.int32)
    stored: U16 = np.where(dn == 0, 0, value.clip(1, 65535)).astype(np.uint16)
    return stored


def cloud_distance(codes: U8) -> U8:
    """Distance to the nearest cloud or shadow: min(50, floor(Euclidean px)), on the scene's own lattice.

    Args:
        codes: uint8 (ny, nx) cloud mask.
    """
    hidden = (codes == CLOUD) | (codes == SHADOW)
    if not hidden.any():
        return np.full(codes.shape, MAX_DISTANCE_PX, np.uint8)
    distance: NDArray[np.float64] = distance_transform_edt(~hidden)
    capped: U8 = np.minimum(np.floor(distance), MAX_DISTANCE_PX).astype(np.uint8)
    return capped


@dataclass(frozen=True)
class Block:
    """Tiles [row0, row1) x [col0, col1) of the grid."""

    row0: int
    row1: int
    col0: int
    col1: int

    def tiles(self) -> Iterator[TileIndex]:
        """Its tiles, row by row."""
        return (TileIndex(r, c) for r in range(self.row0, self.row1) for c in range(self.col0, self.col1))


class Scene:
    """One Sentinel-2 scene with its cloud mask; bands are decoded once, on first use.

    Args:
        grid: the area's grid.
        level: the area's level.
        mask: the cloud mask's item with the local file of `mask`.
        scene: the scene's item with the local files of its bands.
    """

    def __init__(self, grid: Grid, level: str, mask: LocalItem, scene: LocalItem) -> None:
        self._grid, self._level, self._mask, self._scene = grid, level, mask, scene
        properties = scene.item.properties
        self.product = str(properties["landstream:product"])
        self.number = product_number(self.product)
        self.lattice = Lattice.of_asset(scene.item.assets["B05_20m"])
        mgrs = MgrsTile.parse(str(properties["landstream:mgrs_tile"]))
        sensed = datetime.fromisoformat(str(properties["datetime"]))
        self.code = source_code(
            sensed.weekday(),
            str(properties["platform"])[-1],
            not self.lattice.fits(grid),
            mgrs.column_parity,
            mgrs.row_parity,
        )

    @cached_property
    def box(self) -> Block | None:
        """The tiles that the scene's frame meets; None = it misses the grid."""
        tiles = list(self._grid.tiles_within(footprint_m(self._grid, self.lattice)))
        if not tiles:
            return None
        return Block(tiles[0].row, tiles[-1].row + 1, tiles[0].col, tiles[-1].col + 1)

    def blocks(self) -> Iterator[Block]:
        """The box in blocks."""
        if self.box is not None:
            for row in range(self.box.row0, self.box.row1, BLOCK_TILES):
                for col in range(self.box.col0, self.box.col1, BLOCK_TILES):
                    yield Block(row, min(row + BLOCK_TILES, self.box.row1), col, min(col + BLOCK_TILES, self.box.col1))

    @cached_property
    def _masks(self) -> tuple[U8, U8]:
        """(clear after dilation, distance), uint8 (ny, nx) on the scene's 20 m lattice."""
        with rasterio.open(self._mask.paths["mask"], driver="GTiff") as file:
            codes, clear = file.read()
        return ((codes == 1) & (clear == 1)).astype(np.uint8), cloud_distance(codes)

    @cached_property
    def _bands(self) -> dict[str, U16]:
        """Resolution -> stored values uint16 (ny, nx, band) on the scene's lattice."""
        return {r: self._read(r) for r in ("10m", "20m", "60m")}

    def _read(self, resolution: str) -> U16:
        names = BANDS[f"60m-{self._level}"] if resolution == "60m" else BANDS[resolution]
        properties = self._scene.item.properties
        first = self._scene.item.assets[f"{names[0]}_{resolution}"]
        stack = np.empty((*first["proj:shape"], len(names)), np.uint16)
        for n, band in enumerate(names):
            dn = read_jp2(self._scene.paths[f"{band}_{resolution}"])
            offset = properties["landstream:offsets"].get(band, 0)
            stack[..., n] = to_stored(dn, offset, float(properties["landstream:quantification"]))
        return stack

    def _window(self, resolution: str, y: int, x: int, ny: int, nx: int) -> U16:
        pixel_m = int(resolution[:-1])
        names = BANDS[f"60m-{self._level}"] if resolution == "60m" else BANDS[resolution]
        lattice = Lattice.of_asset(self._scene.item.assets[f"{names[0]}_{resolution}"])
        index = source_index(self._grid, lattice, pixel_m, y, x, ny, nx)
        return gather(self._bands[resolution], index)

    def cells(self, block: Block) -> Cells:
        """Candidate cells of a block: layers 10 m (2 ny, 2 nx, 4) and 20 m (ny, nx, 6)."""
        y, x = block.row0 * TILE_PX, block.col0 * TILE_PX
        ny, nx = (block.row1 - block.row0) * TILE_PX, (block.col1 - block.col0) * TILE_PX
        fine = self._window("10m", 2 * y, 2 * x, 2 * ny, 2 * nx)
        coarse = self._window("20m", y, x, ny, nx)
        index = source_index(self._grid, self.lattice, 20, y, x, ny, nx)
        clear, distance = (gather(m, index) for m in self._masks)
        seen_fine = (fine != 0).all(axis=2).reshape(ny, 2, nx, 2).all(axis=(1, 3))
        competes: Mask = (clear == 1) & seen_fine & (coarse != 0).all(axis=2)
        source = np.where(competes, np.uint8(self.code), np.uint8(0))
        return Cells((fine, coarse), source, np.where(competes, distance, np.uint8(0)))

    @cached_property
    def field(self) -> tuple[int, int, Mask, U8]:
        """Competing cells and their distance over the box, widened to whole 60 m pixels.

        Returns:
            (y, x) of the first 60 m pixel; bool and uint8 (3 ny, 3 nx) at 20 m.
        """
        if self.box is None:
            return 0, 0, np.zeros((0, 0), bool), np.zeros((0, 0), np.uint8)
        y0, x0 = self.box.row0 * TILE_PX // 3, self.box.col0 * TILE_PX // 3
        ny = math.ceil(self.box.row1 * TILE_PX / 3) - y0
        nx = math.ceil(self.box.col1 * TILE_PX / 3) - x0
        competes, distance = np.zeros((3 * ny, 3 * nx), bool), np.zeros((3 * ny, 3 * nx), np.uint8)
        for block in self.blocks():
            cells = self.cells(block)
            rows = slice(block.row0 * TILE_PX - 3 * y0, block.row1 * TILE_PX - 3 * y0)
            cols = slice(block.col0 * TILE_PX - 3 * x0, block.col1 * TILE_PX - 3 * x0)
            competes[rows, cols], distance[rows, cols] = cells.source > 0, cells.distance
        return y0, x0, competes, distance

    def touched(self) -> list[TileIndex]:
        """Tiles with at least one competing cell: what the ledger will say, whoever wins."""
        if self.box is None:
            return []
        y0, x0, competes, _ = self.field
        top, left = self.box.row0 * TILE_PX - 3 * y0, self.box.col0 * TILE_PX - 3 * x0
        rows, cols = self.box.row1 - self.box.row0, self.box.col1 - self.box.col0
        inside = competes[top : top + rows * TILE_PX, left : left + cols * TILE_PX]
        any_ = np.asarray(inside.reshape(rows, TILE_PX, cols, TILE_PX).any(axis=(1, 3)))
        return [TileIndex(self.box.row0 + int(r), self.box.col0 + int(c)) for r, c in zip(*any_.nonzero(), strict=True)]

    def pixels_60m(self) -> tuple[int, int, Cells]:
        """(y, x) of the first 60 m pixel and the candidate pixels over the box: one layer (ny, nx, band)."""
        y0, x0, competes, distance = self.field
        whole, smallest = nine_cells(competes, distance)
        ny, nx = whole.shape
        values = self._window("60m", y0, x0, ny, nx)
        whole &= (values != 0).all(axis=2)
        source = np.where(whole, np.uint8(self.code), np.uint8(0))
        return y0, x0, Cells((values,), source, np.where(whole, smallest, np.uint8(0)))


def read_jp2(path: Path) -> Any:
    """One band uint16 (ny, nx), by the one driver that a JP2 needs."""
    with rasterio.open(path, driver="JP2OpenJPEG") as file:
        return file.read(1)
