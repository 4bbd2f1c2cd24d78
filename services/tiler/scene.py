"""A Sentinel-2 scene as candidate cells of the area's grid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window as ReadWindow
from scipy.ndimage import distance_transform_edt

from services.tiler.bands import Bands, Image
from services.tiler.merge_laws import MAX_DISTANCE_PX, U8, U16, Cells, Mask, nine_cells, observed, source_code
from services.tiler.strips import Strips, Wait
from services.tiler.warp import fits, footprint_m
from shared.geo import TILE_10M_PX, TILE_20M_PX, Grid, MgrsTile, TileIndex
from shared.items.ids import product_number
from shared.items.properties import SceneFacts
from shared.raster.grid import Lattice, Window
from shared.sensors import CUBE_BANDS, MASK_CLEAR, MASK_CLOUD, MASK_SHADOW
from shared.stage import LocalItem

BLOCK_TILES = 16
"""Tiles of a block, side by side: the unit that is merged at a time."""


def cloud_distance(codes: U8) -> U8:
    """Distance to the nearest cloud or shadow: min(50, floor(Euclidean px)), on the scene's own lattice.

    Args:
        codes: uint8 (ny, nx) cloud mask.
    """
    hidden = (codes == MASK_CLOUD) | (codes == MASK_SHADOW)
    if not hidden.any():  # the transform has no answer where nothing is hidden
        return np.full(codes.shape, MAX_DISTANCE_PX, np.uint8)
    distance: U8 = np.minimum(distance_transform_edt(~hidden), MAX_DISTANCE_PX).astype(np.uint8)
    return distance


class ClearDistance(Strips):
    """Where the mask is clear, 1 + `cloud_distance`; 0 elsewhere: uint8 (y, x) on the scene's 20 m lattice.

    Args:
        path: the mask, codes and clear after dilation.
        shape: its (ny, nx).
        pool: where strips are made.
        side: rows of a strip; does not change the result.
    """

    def __init__(self, path: Path, shape: tuple[int, int], pool: ThreadPoolExecutor, side: int = 512) -> None:
        super().__init__(shape, "uint8")
        self._path, self._pool, self._side = path, pool, side

    @property
    def side(self) -> int:
        """Rows of a strip."""
        return self._side

    def begin(self, row: int, rows: int) -> Wait:
        """Begin to make some rows."""
        return self._pool.submit(self._make, row, rows).result

    def _make(self, row: int, rows: int) -> U8:
        # What is farther than the cap does not matter, so neither does what lies beyond these rows.
        top, bottom = max(0, row - MAX_DISTANCE_PX), min(self._shape[0], row + rows + MAX_DISTANCE_PX)
        with rasterio.open(self._path, driver="GTiff") as file:
            codes, clear = file.read(window=ReadWindow(0, top, self._shape[1], bottom - top))
        own = slice(row - top, row - top + rows)
        is_clear = (codes[own] == MASK_CLEAR) & (clear[own] == 1)
        return np.where(is_clear, cloud_distance(codes)[own] + np.uint8(1), np.uint8(0))


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


@dataclass(frozen=True)
class Row:
    """What a scene holds in a row of blocks.

    Attributes:
        blocks: each with its cells: layers 10 m (2 ny, 2 nx, 4) and 20 m (ny, nx, 6).
        y: first row of 60 m pixels that end within this row of blocks, in pixels of the area's raster.
        x: their first column.
        pixels: candidates among them: one layer (ny, nx, band).
    """

    blocks: list[tuple[Block, Cells]]
    y: int
    x: int
    pixels: Cells


@dataclass(frozen=True)
class _Layers:
    """The rasters of a scene that are walked over at once."""

    fine: Bands
    coarse: Bands
    pixels: Bands
    mask: ClearDistance

    def expect(self, grid: Grid, box: Block, row1: int) -> None:
        """Tell which row of tiles the walk ends with."""
        last = Block(row1 - 1, row1, box.col0, box.col1)
        for bands, side in ((self.fine, TILE_10M_PX), (self.coarse, TILE_20M_PX)):
            bands.expect([bands.place(grid, last.window(side))])
        self.mask.expect([self.coarse.place(grid, last.window(TILE_20M_PX))])


class Scene:
    """One Sentinel-2 scene with its cloud mask.

    `walk` it, then ask for what it touched. Bands are decoded on the way.

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
        self._touched = set[TileIndex]()
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
        for row in range(self.box.row0, self.box.row1):
            columns = range(self.box.col0, self.box.col1, BLOCK_TILES)
            blocks = [Block(row, row + 1, col, min(col + BLOCK_TILES, self.box.col1)) for col in columns]
            found.append([b for b in blocks if wanted is None or not wanted.isdisjoint(b.around())])
        return [row for row in found if row]

    def walk(self, rows: Sequence[list[Block]]) -> Iterator[Row]:
        """Yield what the scene holds in rows of blocks, from north to south.

        Bands are decoded ahead, while what is yielded is used.

        Raises:
            BrokenPicture: a band cannot be decoded, or is not on the lattice that its item states.
        """
        if self.box is None or not rows:
            return
        with ExitStack() as stack:
            pool = ThreadPoolExecutor(self._threads)
            stack.callback(pool.shutdown, cancel_futures=True)
            fine, coarse, pixels = (self._bands(resolution, pool) for resolution in ("10m", "20m", "60m"))
            mask = ClearDistance(self._mask.paths["mask"], self.lattice.shape, pool)
            layers = _Layers(fine, coarse, pixels, mask)
            layers.expect(self._grid, self.box, rows[-1][0].row1)
            row1, rest = -1, np.zeros((0, 0), np.uint8)
            for blocks in rows:
                found = self._cut(blocks, layers)
                field = self._field(found, rest if row1 == blocks[0].row0 else None)
                y, whole = blocks[0].row0 * TILE_20M_PX // 3, len(field) // 3 * 3
                yield Row(found, y, self._columns_60m.start, self._pixels(field[:whole], y, layers.pixels))
                row1, rest = blocks[0].row1, field[whole:]

    def _cut(self, blocks: list[Block], layers: _Layers) -> list[tuple[Block, Cells]]:
        at_fine = [layers.fine.place(self._grid, b.window(TILE_10M_PX)) for b in blocks]
        at_coarse = [layers.coarse.place(self._grid, b.window(TILE_20M_PX)) for b in blocks]
        layers.fine.hold(at_fine)
        layers.coarse.hold(at_coarse)
        layers.mask.hold(at_coarse)
        found = []
        for block, f, c in zip(blocks, at_fine, at_coarse, strict=True):
            cells = self._cells(layers.fine.take(f), layers.coarse.take(c), layers.mask.take(c))
            self._touched.update(tiles_of(block, cells.source > 0))
            found.append((block, cells))
        return found

    def _bands(self, resolution: str, pool: ThreadPoolExecutor) -> Bands:
        names = CUBE_BANDS[f"60m-{self._level}"] if resolution == "60m" else CUBE_BANDS[resolution]
        quantification, offsets = float(self._facts.quantification), self._facts.offsets
        images = [Image(self._scene.paths[f"{b}_{resolution}"], offsets.get(b, 0), quantification) for b in names]
        lattice = Lattice.of_asset(self._scene.item.assets[f"{names[0]}_{resolution}"])
        return Bands(images, lattice, int(resolution[:-1]), pool)

    def _cells(self, fine: U16, coarse: U16, clear_distance: U8) -> Cells:
        competes = (clear_distance > 0) & observed(coarse)
        seen = observed(fine)
        for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):
            competes &= seen[y::2, x::2]
        return Cells((fine, coarse), *self._keys(competes, clear_distance))

    def _keys(self, competes: Mask, clear_distance: U8) -> tuple[U8, U8]:
        """Source code and distance, uint8 (ny, nx), of cells or pixels that compete; 0 elsewhere."""
        return (
            np.where(competes, np.uint8(self.code), np.uint8(0)),
            np.where(competes, clear_distance - np.uint8(1), np.uint8(0)),
        )

    @cached_property
    def _columns_60m(self) -> range:
        """Columns of the 60 m pixels that the box meets, in pixels of the area's raster."""
        assert self.box is not None
        return range(self.box.col0 * TILE_20M_PX // 3, -(-self.box.col1 * TILE_20M_PX // 3))

    def _field(self, row: list[tuple[Block, Cells]], above: U8 | None) -> U8:
        """Join the cells of a row of blocks: 1 + distance where they compete, else 0.

        Args:
            row: blocks side by side.
            above: the last cells of the row above, whose 60 m pixels end in this one; None = they do not compete.

        Returns:
            uint8 (ny, 3 nx), from the first row of the pixels that end in this row of blocks.
        """
        lead, left = row[0][0].row0 * TILE_20M_PX % 3, 3 * self._columns_60m.start
        field = np.zeros((lead + TILE_20M_PX, 3 * len(self._columns_60m)), np.uint8)
        if above is not None:
            field[:lead] = above
        for block, cells in row:
            x0, x1 = (col * TILE_20M_PX - left for col in (block.col0, block.col1))
            field[lead:, x0:x1] = cells.distance + (cells.source > 0)
        return field

    def _pixels(self, field: U8, y: int, bands: Bands) -> Cells:
        """Candidates of 60 m: one layer (ny, nx, band), from `_field` uint8 (3 ny, 3 nx) and their first row."""
        whole, smallest = nine_cells(field > 0, field)
        index = bands.place(self._grid, Window(y, self._columns_60m.start, *whole.shape))
        bands.hold([index])
        values = bands.take(index)
        whole &= observed(values)
        return Cells((values,), *self._keys(whole, smallest))

    def look(self) -> None:
        """Walk it for what it touches alone, where nothing of it is merged."""
        for _ in self.walk(self.blocks()):
            pass

    def touched(self) -> list[TileIndex]:
        """Tiles with at least one competing cell, as far as it was walked: what the ledger will say, whoever wins."""
        return sorted(self._touched)
