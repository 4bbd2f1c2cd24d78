"""Blocks in weeks: where samples are, and which of them are drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from services.trainer.split import BLOCK_PX
from shared.geo import TILE_10M_PX
from shared.items.weeks import later_week
from shared.raster.grid import Window

GROUP_BLOCKS = 8
"""Side of the blocks that are read together at most, four tiles: 15 MB, half a chunk to decode for each window where
one by itself takes four."""

WHOLE_GROUP_BLOCKS = 2
"""Side of those that come with all of their weeks, a tile: not fewer places than of single weeks."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, order=True)
class Place:
    """A block in a week."""

    week: str
    row: int
    col: int

    def before(self, weeks: int) -> Place:
        """Return the same block so many weeks before."""
        return Place(later_week(self.week, -weeks), self.row, self.col)


@dataclass(frozen=True)
class Group:
    """Neighbouring blocks of a week, which are read together.

    Attributes:
        members: indices of their places.
        first: row and column of the upper left block.
        last: row and column of the lower right one.
    """

    members: tuple[int, ...]
    first: tuple[int, int]
    last: tuple[int, int]

    def around(self, margin: int) -> Window:
        """Return the 10 m pixels of the blocks and what lies between them, with a margin around them."""
        (top, left), (bottom, right) = self.first, self.last
        ny, nx = ((last - first + 1) * BLOCK_PX + 2 * margin for first, last in ((top, bottom), (left, right)))
        return Window(top * BLOCK_PX - margin, left * BLOCK_PX - margin, ny, nx)


def group_places(places: Sequence[Place], margin: int) -> list[Group]:
    """Group the places of a week that are near each other, where that is no more to read than each by itself."""
    return list(_grouped(places, range(len(places)), GROUP_BLOCKS, (BLOCK_PX + 2 * margin) ** 2, margin))


def _grouped(places: Sequence[Place], members: Sequence[int], side: int, alone: int, margin: int) -> Iterator[Group]:
    """Group places in squares of so many blocks, or in smaller ones where that is less to read."""
    near: dict[tuple[str, int, int], list[int]] = {}
    for i in members:
        near.setdefault((places[i].week, places[i].row // side, places[i].col // side), []).append(i)
    for found in near.values():
        group = _group(places, found)
        window = group.around(margin)
        if window.ny * window.nx <= len(found) * alone:
            yield group
        else:
            yield from _grouped(places, found, side // 2, alone, margin)


def _group(places: Sequence[Place], members: Sequence[int]) -> Group:
    rows, cols = [places[i].row for i in members], [places[i].col for i in members]
    return Group(tuple(members), (min(rows), min(cols)), (max(rows), max(cols)))


def list_places(blocks: Array, observed: Mapping[str, Array], most: int, seed: int, whole: bool = False) -> list[Place]:
    """Blocks and weeks with data, ascending by week, row, column; a seeded draw of them where there are too many.

    Args:
        blocks: bool (block row, block col).
        observed: week -> bool (tile row, tile col).
        most: how many to keep: bounds memory and time on large areas.
        seed: of the draw.
        whole: blocks are drawn with all of their weeks, as far as they fit: each is the past of the next one.
    """
    weeks = sorted(observed)
    found = [np.argwhere(_seen(blocks, observed[week])) for week in weeks]
    which = np.repeat(np.arange(len(weeks)), [len(f) for f in found])
    corners = np.concatenate([np.empty((0, 2), int), *found])
    chosen = np.arange(len(which))
    if len(chosen) > most:
        rng = np.random.default_rng(seed)
        chosen = _draw_whole(corners, most, rng) if whole else np.sort(rng.choice(len(chosen), most, replace=False))
    return [Place(weeks[which[i]], int(corners[i, 0]), int(corners[i, 1])) for i in chosen]


def _draw_whole(corners: Array, most: int, rng: np.random.Generator) -> Array:
    """Draw blocks, as many as have together at most so many places; at least one: ascending indices of the places."""
    blocks, of_place, counts = np.unique(corners, axis=0, return_inverse=True, return_counts=True)
    order = rng.permutation(len(blocks))
    fitting = max(1, int(np.searchsorted(np.cumsum(counts[order]), most, side="right")))
    kept = np.zeros(len(blocks), bool)
    kept[order[:fitting]] = True
    return np.flatnonzero(kept[of_place.ravel()])


def list_rounds(
    blocks: Array, observed: Mapping[str, Array], most: int, count: int, seed: int, whole: bool = False
) -> list[list[Place]]:
    """Draw rounds of places: neighbours together, whose chunks are read once, in an order of chance.

    Args:
        blocks: bool (block row, block col).
        observed: week -> bool (tile row, tile col).
        most: places of a round; it holds a whole number of groups of neighbours, one at least.
        count: how many rounds; fewer where all places are in them before.
        seed: of the draw.
        whole: blocks come with all of their weeks.

    Returns:
        Rounds of places, each ascending; no place is in two.
    """
    weeks = sorted(observed)
    seen = [_seen(blocks, observed[week]) for week in weeks]
    together = [list(range(len(weeks)))] if whole else [[i] for i in range(len(weeks))]
    side = WHOLE_GROUP_BLOCKS if whole else GROUP_BLOCKS
    corners = [np.argwhere(_squares(np.logical_or.reduce([seen[i] for i in of]), side)) for of in together]
    squares = np.concatenate([np.insert(found, 0, i, axis=1) for i, found in enumerate(corners)])
    rounds: list[list[Place]] = [[]]
    for i, row, col in squares[np.random.default_rng(seed).permutation(len(squares))]:
        top, left = int(row) * side, int(col) * side
        found = [
            Place(weeks[week], top + int(y), left + int(x))
            for week in together[i]
            for y, x in np.argwhere(seen[week][top : top + side, left : left + side])
        ]
        if rounds[-1] and len(rounds[-1]) + len(found) > most:
            if len(rounds) == count:
                break
            rounds.append([])
        rounds[-1] += found
    return [sorted(found) for found in rounds if found]


def _squares(blocks: Array, side: int) -> Array:
    """Return which squares of so many blocks hold one: bool (row, col)."""
    rows, cols = (-(-n // side) for n in blocks.shape)
    padded = np.zeros((rows * side, cols * side), bool)
    padded[: blocks.shape[0], : blocks.shape[1]] = blocks
    return np.asarray(padded.reshape(rows, side, cols, side).any(axis=(1, 3)))


def count_places(blocks: Array, observed: Mapping[str, Array]) -> int:
    """How many places `list_places` would list without a limit."""
    return sum(int(np.count_nonzero(_seen(blocks, tiles))) for tiles in observed.values())


def _seen(blocks: Array, tiles: Array) -> Array:
    """Those blocks whose tile was observed: bool (block row, block col)."""
    per_tile = TILE_10M_PX // BLOCK_PX
    seen: Array = blocks & np.repeat(np.repeat(tiles, per_tile, axis=0), per_tile, axis=1)
    return seen
