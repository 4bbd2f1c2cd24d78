"""A Sentinel-2 scene as candidate cells of the area's grid."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import rasterio
from scipy.ndimage import distance_transform_edt

from services.tiler.bands import Bands, Image
from services.tiler.merge_laws import MAX_DISTANCE_PX, U8, U16, Cells, Mask, nine_cells, source_code
from services.tiler.warp import Index, fits, footprint_m, gather
from shared.geo import TILE_10M_PX, TILE_20M_PX, Grid, MgrsTile, TileIndex
from shared.items.ids import product_number
from shared.items.properties import SceneFacts
from shared.raster.grid import Lattice, Window
from shared.sensors import CUBE_BANDS, MASK_CLEAR, MASK_CLOUD, MASK_SHADOW
from shared.stage import LocalItem

BLOCK_TILES = 4
"""Tiles along a side of a block, the unit that is merged at a time."""


def cloud_distance(codes: U8, strip_px: int = 1024) -> U8:
    """Distance to the nearest cloud or shadow: min(50, floor(Euclidean px)), on the scene's own lattice.

    Args:
        codes: uint8 (ny, nx) cloud mask.
        strip_px: rows worked on at once; does not change the result.
    """
    capped = np.full(codes.shape, MAX_DISTANCE_PX, np.uint8)
    for top in range(0, len(codes), strip_px):
        # What is farther than the cap does not matter, so neither does what lies beyond these rows.
        above = max(0, top - MAX_DISTANCE_PX)
        part = codes[above : top + strip_px + MAX_DISTANCE_PX]
        hidden = (part == MASK_CLOUD) | (part == MASK_SHADOW)
        if hidden.any():  # the transform has no answer where nothing is hidden
            distance = distance_transform_edt(~hidden)[top - above :][:strip_px]
            capped[top : top + strip_px] = np.minimum(np.floor(distance), MAX_DISTANCE_PX)
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

    def around(self) -> Iterator[TileIndex]:
        """Its tiles and those beside them."""
        return Block(self.row0 - 1, self.row1 + 1, self.col0 - 1, self.col1 + 1).tiles()

    def window(self, pixels: int) -> Window:
        """Return its window of the area's raster with so many pixels along a tile's side."""
        y, x = self.row0 * pixels, self.col0 * pixels
        return Window(y, x, self.row1 * pixels - y, self.col1 * pixels - x)


def tiles_of(block: Block, competes: Mask) -> list[TileIndex]:
    """Tiles of a block with at least one competing cell, bool (ny, nx)."""
    rows, cols = block.row1 - block.row0, block.col1 - block.col0
    any_ = np.asarray(competes.reshape(rows, TILE_20M_PX, cols, TILE_20M_PX).any(axis=(1, 3)))
    return [TileIndex(block.row0 + int(r), block.col0 + int(c)) for r, c in zip(*any_.nonzero(), strict=True)]


class Scene:
    """One Sentinel-2 scene with its cloud mask.

    `walk` it once, then ask for the 60 m pixels and for what it touched. Bands are decoded on the way.

    Args:
        grid: the area's grid.
        level: the area's level.
        threads: of the decoder.
        mask: the cloud mask's item with the local file of `mask`.
        scene: the scene's item with the local files of its bands.
    """

    def __init__(self, grid: Grid, level: str, threads: int, mask: LocalItem, scene: LocalItem) -> None:
        self._grid, self._level, self._threads, self._mask, self._scene = grid, level, threads, mask, scene
        self._facts, properties = SceneFacts.of(scene.item), scene.item.properties
        self.product = self._facts.product
        self.number = product_number(self.product)
        self.lattice = Lattice.of_asset(scene.item.assets["B05_20m"])
        mgrs = MgrsTile.parse(self._facts.mgrs_tile)
        sensed = datetime.fromisoformat(str(properties["datetime"]))
        self.code = source_code(
            sensed.weekday(),
            str(properties["platform"])[-1],
            not fits(self.lattice, grid),
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

    def blocks(self, near: Iterable[TileIndex] | None = None) -> list[list[Block]]:
        """Divide the box into rows of blocks.

        Args:
            near: leave out blocks that neither hold nor touch any of these; None = all blocks.
        """
        if self.box is None:
            return []
        wanted = None if near is None else set(near)
        found = []
        for row in range(self.box.row0, self.box.row1, BLOCK_TILES):
            row1 = min(row + BLOCK_TILES, self.box.row1)
            columns = range(self.box.col0, self.box.col1, BLOCK_TILES)
            blocks = [Block(row, row1, col, min(col + BLOCK_TILES, self.box.col1)) for col in columns]
            found.append([b for b in blocks if wanted is None or not wanted.isdisjoint(b.around())])
        return [row for row in found if row]

    def walk(self, rows: Iterable[list[Block]]) -> Iterator[tuple[Block, Cells]]:
        """Candidate cells of rows of blocks, from north to south.

        Yields:
            A block and its cells: layers 10 m (2 ny, 2 nx, 4) and 20 m (ny, nx, 6).
        """
        fine, coarse = self._bands("10m"), self._bands("20m")
        ready: Future[list[tuple[Block, Cells]]] | None = None
        # One row is decoded while the row before it is merged.
        with ThreadPoolExecutor(1) as ahead:
            for blocks in rows:
                coming = ahead.submit(self._row, blocks, fine, coarse)
                if ready is not None:
                    yield from ready.result()
                ready = coming
            if ready is not None:
                yield from ready.result()

    def look(self) -> None:
        """Walk it for what it touches alone, where nothing of it is merged."""
        for _ in self.walk(self.blocks()):
            pass

    def _row(self, blocks: list[Block], fine: Bands, coarse: Bands) -> list[tuple[Block, Cells]]:
        at_fine = [fine.place(self._grid, b.window(TILE_10M_PX)) for b in blocks]
        at_coarse = [coarse.place(self._grid, b.window(TILE_20M_PX)) for b in blocks]
        fine.hold(at_fine)
        coarse.hold(at_coarse)
        found = []
        for block, f, c in zip(blocks, at_fine, at_coarse, strict=True):
            cells = self._cells(fine.take(f), coarse.take(c), c)
            self._note(block, cells)
            found.append((block, cells))
        return found

    def _bands(self, resolution: str) -> Bands:
        names = CUBE_BANDS[f"60m-{self._level}"] if resolution == "60m" else CUBE_BANDS[resolution]
        quantification, offsets = float(self._facts.quantification), self._facts.offsets
        images = [Image(self._scene.paths[f"{b}_{resolution}"], offsets.get(b, 0), quantification) for b in names]
        lattice = Lattice.of_asset(self._scene.item.assets[f"{names[0]}_{resolution}"])
        return Bands(images, lattice, int(resolution[:-1]), self._threads)

    @cached_property
    def _masks(self) -> tuple[U8, U8]:
        """(clear after dilation, distance), uint8 (ny, nx) on the scene's 20 m lattice."""
        with rasterio.open(self._mask.paths["mask"], driver="GTiff") as file:
            codes, clear = file.read()
        return ((codes == MASK_CLEAR) & (clear == 1)).astype(np.uint8), cloud_distance(codes)

    def _cells(self, fine: U16, coarse: U16, index: Index) -> Cells:
        clear, distance = (gather(m, index) for m in self._masks)
        ny, nx = coarse.shape[:2]
        seen_fine = (fine != 0).all(axis=2).reshape(ny, 2, nx, 2).all(axis=(1, 3))
        competes: Mask = (clear == 1) & seen_fine & (coarse != 0).all(axis=2)
        source = np.where(competes, np.uint8(self.code), np.uint8(0))
        return Cells((fine, coarse), source, np.where(competes, distance, np.uint8(0)))

    @cached_property
    def _field(self) -> tuple[int, int, Mask, U8]:
        """Competing cells and their distance over the box, as far as it was walked, widened to whole 60 m pixels.

        Returns:
            (y, x) of the first 60 m pixel; bool and uint8 (3 ny, 3 nx) at 20 m.
        """
        if self.box is None:
            return 0, 0, np.zeros((0, 0), bool), np.zeros((0, 0), np.uint8)
        y0, x0 = self.box.row0 * TILE_20M_PX // 3, self.box.col0 * TILE_20M_PX // 3
        ny = math.ceil(self.box.row1 * TILE_20M_PX / 3) - y0
        nx = math.ceil(self.box.col1 * TILE_20M_PX / 3) - x0
        return y0, x0, np.zeros((3 * ny, 3 * nx), bool), np.zeros((3 * ny, 3 * nx), np.uint8)

    def _note(self, block: Block, cells: Cells) -> None:
        y0, x0, competes, distance = self._field
        window = block.window(TILE_20M_PX)
        at = Window(window.y - 3 * y0, window.x - 3 * x0, window.ny, window.nx).slices
        competes[at], distance[at] = cells.source > 0, cells.distance

    def touched(self) -> list[TileIndex]:
        """Tiles with at least one competing cell: what the ledger will say, whoever wins."""
        if self.box is None:
            return []
        y0, x0, competes, _ = self._field
        window = self.box.window(TILE_20M_PX)
        at = Window(window.y - 3 * y0, window.x - 3 * x0, window.ny, window.nx).slices
        return tiles_of(self.box, competes[at])

    def pixels_60m(self) -> tuple[int, int, Cells]:
        """(y, x) of the first 60 m pixel and the candidate pixels over the box: one layer (ny, nx, band)."""
        y0, x0, competes, distance = self._field
        whole, smallest = nine_cells(competes, distance)
        bands = self._bands("60m")
        index = bands.place(self._grid, Window(y0, x0, *whole.shape))
        bands.hold([index])
        values = bands.take(index)
        whole &= (values != 0).all(axis=2)
        source = np.where(whole, np.uint8(self.code), np.uint8(0))
        return y0, x0, Cells((values,), source, np.where(whole, smallest, np.uint8(0)))
