"""Merge a scene into the cube's arrays, pixels and ledger together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import numpy as np
import rasterio
import zarr
from numpy.typing import NDArray
from rasterio.windows import Window

from services.tiler.frame import PIXEL_M, Frame
from services.tiler.merge import Cells, Pixels, merge, merge_olci, wins, wins_olci
from services.tiler.scene import Block, Scene, tiles_of
from shared.cube.layout import LEDGER_SLOTS, MSI, OLCI
from shared.geo import TILE_10M_PX, TILE_20M_PX, TILE_M, TileIndex
from shared.stage import RejectScene, RetryLater

Progress = Callable[[int, int], None]
Tiles = Set[TileIndex]
SUPERSEDED = "superseded"
"""Attribute of a sensor's group: week -> numbers of the products that are not to be merged any more."""

RANK = "rank"
"""Attribute of a label scheme's group: what the raster in it won by."""


class Superseded(Exception):
    """Raised when another writer has put a higher version, or a withdrawal, of the scene into the cube."""


def _supersede(group: zarr.Group, week: int, outdated: Iterable[int], number: int | None) -> None:
    """Note which products are outdated, in the transaction that takes them out; writers of them may be at work.

    Raises:
        Superseded: `number` is one of them.
    """
    noted: Any = group.attrs.get(SUPERSEDED, {})
    before = {int(n) for n in noted.get(str(week), ())}  # as text: JSON's numbers end at 53 bits
    if number in before:
        raise Superseded
    after = before | {n for n in outdated if n != number}
    if after != before:
        group.attrs[SUPERSEDED] = {**noted, str(week): [str(n) for n in sorted(after)]}


class Ledger:
    """The ledger of one week: which products are merged into which tiles."""

    def __init__(self, array: zarr.Array[Any], week: int) -> None:
        self._array, self._week = array, week
        self.numbers: NDArray[np.uint64] = np.asarray(array[week])
        self._before = self.numbers.copy()

    def holding(self, numbers: Iterable[int]) -> list[TileIndex]:
        """Tiles that hold any of these products."""
        wanted = np.array(sorted(set(numbers) - {0}), np.uint64)
        rows, cols = np.asarray(np.isin(self.numbers, wanted).any(axis=2)).nonzero()
        return [TileIndex(int(r), int(c)) for r, c in zip(rows, cols, strict=True)]

    def lacking(self, tiles: Iterable[TileIndex], number: int) -> list[TileIndex]:
        """Those of the tiles that do not hold a product yet."""
        return [t for t in tiles if np.uint64(number) not in self.numbers[t]]

    def forget(self, tiles: Iterable[TileIndex], number: int) -> None:
        """Take one product out of some tiles."""
        for tile in tiles:
            left = [int(n) for n in self.numbers[tile] if n and n != np.uint64(number)]
            self.numbers[tile] = left + [0] * (LEDGER_SLOTS - len(left))

    def require_known(self, tiles: Iterable[TileIndex], known: Set[int]) -> None:
        """Check that some tiles can be rebuilt from what is at hand.

        Raises:
            RetryLater: a scene is merged there that the plan did not know; another plan does.
        """
        if {int(n) for t in tiles for n in self.numbers[t]} - {0} - known:
            raise RetryLater("a scene was merged into a tile that is to be rebuilt after this was planned")

    def clear(self, tile: TileIndex) -> None:
        """Forget what was merged into a tile."""
        self.numbers[tile] = 0

    def add(self, tile: TileIndex, number: int, product: str) -> None:
        """Note a product.

        Raises:
            RejectScene: the tile-week is full.
        """
        held = [int(n) for n in self.numbers[tile] if n]
        if len(held) == LEDGER_SLOTS:
            raise RejectScene(
                product,
                f"tile {tile.row}, {tile.col} holds {LEDGER_SLOTS} scenes of this week already",
                "withdraw one of them, or leave this scene out",
            )
        self.numbers[tile] = sorted([*held, number]) + [0] * (LEDGER_SLOTS - len(held) - 1)

    def save(self) -> None:
        """Write the chunks that changed."""
        _, rows, cols, _ = self._array.chunks
        for r in range(0, self.numbers.shape[0], rows):
            for c in range(0, self.numbers.shape[1], cols):
                part = (slice(r, r + rows), slice(c, c + cols))
                if (self.numbers[part] != self._before[part]).any():
                    self._array[(self._week, *part)] = self.numbers[part]


def update_msi(
    group: zarr.Group,
    week: int,
    scene: Scene | None,
    others: Mapping[int, Callable[[], Scene]],
    outdated: Sequence[int],
    again: Tiles | None,
    progress: Progress,
) -> None:
    """Merge a Sentinel-2 scene; rebuild first the tiles into which an outdated product was merged.

    Args:
        group: the group of the year.
        week: index along the week axis.
        scene: the scene; None = only rebuild (a withdrawal).
        others: number -> how it is opened, of the other current scenes of the week, for rebuilding.
        outdated: numbers of the superseded or withdrawn products.
        again: tiles that another writer changed after this scene was merged into them; None = nothing is merged yet.
        progress: called with (done, total) blocks.

    Raises:
        Superseded: another writer made the scene outdated.
        RetryLater: a tile that is to be rebuilt holds a scene that is not at hand.
    """
    _supersede(_group(group, MSI), week, outdated, scene.number if scene else None)
    ledger = Ledger(group[f"{MSI}/scenes"], week)  # type: ignore[arg-type]  # a path of the layout is an array
    if again and scene is not None:
        ledger.forget(again, scene.number)
    stale = sorted({*ledger.holding(outdated), *(again if again and outdated else ())})
    if stale:
        ledger.require_known(stale, {*others, *outdated, *([scene.number] if scene else ())})
        for tile in stale:
            ledger.clear(tile)
            _clear_tile(group, week, tile)
        for open_other in others.values():
            _merge_scene(group, week, open_other(), ledger, set(stale), lambda done, total: None)
    if scene is not None and (again is None or again):
        _merge_scene(group, week, scene, ledger, again, progress)
    ledger.save()


def _merge_scene(
    group: zarr.Group, week: int, scene: Scene, ledger: Ledger, only: Tiles | None, progress: Progress
) -> None:
    rows = scene.blocks(near=only)
    count, new = sum(map(len, rows)), set[TileIndex]()
    for done, (block, cells) in enumerate(scene.walk(rows)):
        progress(done, count)
        tiles = [t for t in tiles_of(block, cells.source > 0) if only is None or t in only]
        lacking = set(ledger.lacking(tiles, scene.number))
        for tile in sorted(lacking):
            ledger.add(tile, scene.number, scene.product)
        if lacking:
            _merge_block(group, week, block, _masked(cells, block, lacking))
        new |= lacking
    if new:
        y, x, cells = scene.pixels_60m()
        _merge_60m(group, week, y, x, _near(cells, y, x, new))
    progress(count, count)


def _masked(cells: Cells, block: Block, tiles: set[TileIndex]) -> Cells:
    """The cells of some tiles of a block; the others do not compete."""
    source = cells.source.copy()
    for tile in block.tiles():
        if tile not in tiles:
            y, x = (tile.row - block.row0) * TILE_20M_PX, (tile.col - block.col0) * TILE_20M_PX
            source[y : y + TILE_20M_PX, x : x + TILE_20M_PX] = 0
    return replace(cells, source=source)


def _near(cells: Cells, y: int, x: int, tiles: set[TileIndex]) -> Cells:
    """The 60 m pixels that share area with some tiles; the others do not compete."""
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
    stored = Cells(
        tuple(_read(group, path, where) for path, where in layers.items()),
        _read(group, f"{name}_source", at),
        _read(group, distance, at),
    )
    if not wins(candidate, stored).any():
        return
    merged = merge(candidate, stored)
    for (path, where), values in zip(layers.items(), merged.layers, strict=True):
        _write(group, path, where, values)
    _write(group, f"{name}_source", at, merged.source)
    _write(group, distance, at, merged.distance)


def _clear_tile(group: zarr.Group, week: int, tile: TileIndex) -> None:
    """Empty a tile-week; 60 m pixels that it shares with a neighbour too."""
    y, x = tile.row * TILE_20M_PX, tile.col * TILE_20M_PX
    fine = (week, slice(2 * y, 2 * (y + TILE_20M_PX)), slice(2 * x, 2 * (x + TILE_20M_PX)))
    coarse = (week, slice(y, y + TILE_20M_PX), slice(x, x + TILE_20M_PX))
    pixels = (week, *_span_60m(tile))
    _write(group, f"{MSI}/10m", fine, 0)
    for name, at in (("20m", coarse), ("60m", pixels)):
        for suffix in ("", "_source", "_cloud_distance_px"):
            _write(group, f"{MSI}/{name}{suffix}", at, 0)


def update_olci(
    group: zarr.Group,
    week: int,
    frame: Frame | None,
    others: Mapping[int, Callable[[], Frame]],
    outdated: Sequence[int],
    again: Tiles | None,
) -> None:
    """Merge an OLCI frame; arguments and errors as of `update_msi`."""
    _supersede(_group(group, OLCI), week, outdated, frame.number if frame else None)
    ledger = Ledger(group[f"{OLCI}/scenes"], week)  # type: ignore[arg-type]  # a path of the layout is an array
    if again and frame is not None:
        ledger.forget(again, frame.number)
    stale = sorted({*ledger.holding(outdated), *(again if again and outdated else ())})
    if stale:
        ledger.require_known(stale, {*others, *outdated, *([frame.number] if frame else ())})
        for tile in stale:
            ledger.clear(tile)
            at = (week, *_span_300m(tile))
            _write(group, f"{OLCI}/300m", at, np.nan)
            _write(group, f"{OLCI}/300m_source", at, 0)
            _write(group, f"{OLCI}/300m_rank", at, 0)
        for open_other in others.values():
            _merge_frame(group, week, open_other(), ledger, stale)
    if frame is not None and (again is None or again):
        _merge_frame(group, week, frame, ledger, again)
    ledger.save()


def _span_300m(tile: TileIndex) -> tuple[slice, slice]:
    """Rows and columns of the 300 m pixels whose centre lies in a tile."""

    def span(index: int) -> slice:
        return slice(*(-(-(edge * TILE_M - PIXEL_M // 2) // PIXEL_M) for edge in (index, index + 1)))

    return span(tile.row), span(tile.col)


def _merge_frame(group: zarr.Group, week: int, frame: Frame, ledger: Ledger, only: Iterable[TileIndex] | None) -> None:
    y, x, pixels = frame.pixels()
    tiles = frame.touched(y, x, pixels)
    wanted = None if only is None else set(only)
    new = ledger.lacking([t for t in tiles if wanted is None or t in wanted], frame.number)
    if not new:
        return
    keep = np.zeros(pixels.source.shape, bool)
    for tile in new:
        ledger.add(tile, frame.number, frame.product)
        rows, cols = _span_300m(tile)
        keep[
            max(0, rows.start - y.start) : max(0, rows.stop - y.start),
            max(0, cols.start - x.start) : max(0, cols.stop - x.start),
        ] = True
    candidate = replace(pixels, source=np.where(keep, pixels.source, np.uint8(0)))
    at = (week, y, x)
    stored = Pixels(
        _read(group, f"{OLCI}/300m", at), _read(group, f"{OLCI}/300m_source", at), _read(group, f"{OLCI}/300m_rank", at)
    )
    if wins_olci(candidate, stored).any():
        merged = merge_olci(candidate, stored)
        _write(group, f"{OLCI}/300m", at, merged.radiance)
        _write(group, f"{OLCI}/300m_source", at, merged.source)
        _write(group, f"{OLCI}/300m_rank", at, merged.rank)


def update_labels(group: zarr.Group, scheme: str, classes: int, raster: Any, rank: list[Any]) -> None:
    """Put a class raster on the area's grid into the cube, tile row by tile row, unless a better one is there.

    Args:
        group: the area's group.
        scheme: name of the label scheme.
        classes: K, number of classes.
        raster: path of a GeoTIFF uint8 (y, x) on the area's grid at 10 m.
        rank: what it wins by, compared from the first value on; the larger one stays.
    """
    parent = _group(group, f"labels/{scheme}")
    there: Any = parent.attrs.get(RANK)
    if there is not None and there > rank:
        return
    parent.attrs[RANK] = rank
    target, presence = group[f"labels/{scheme}/class"], group[f"labels/{scheme}/classes"]
    side = TILE_10M_PX
    with rasterio.open(raster, driver="GTiff") as file:
        rows, cols = file.height // side, file.width // side
        for row in range(rows):
            values = file.read(1, window=Window(0, row * side, file.width, side))
            tiles = values.reshape(side, cols, side)
            found = np.stack([(tiles == v).any(axis=(0, 2)) for v in range(1, classes + 1)], axis=1)
            _assign(target, (slice(row * side, (row + 1) * side), slice(None)), values)
            _assign(presence, (row,), found.astype(np.uint8))


def _group(group: zarr.Group, path: str) -> zarr.Group:
    found = group[path]
    assert isinstance(found, zarr.Group)
    return found


def _read(group: zarr.Group, path: str, at: Any) -> Any:
    array = group[path]
    assert isinstance(array, zarr.Array)
    return np.asarray(array[at])


def _write(group: zarr.Group, path: str, at: Any, values: Any) -> None:
    _assign(group[path], at, values)


def _assign(array: Any, at: Any, values: Any) -> None:
    assert isinstance(array, zarr.Array)
    array[at] = values
