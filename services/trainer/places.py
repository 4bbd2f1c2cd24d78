"""Blocks in weeks: where samples are, and which of them are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from services.trainer.split import BLOCK_PX
from shared.geo import TILE_10M_PX
from shared.items.weeks import later_week
from shared.raster.grid import Window

GROUP_BLOCKS = 4
"""Side of the blocks that are read together, two tiles: 4 MB, and each of its chunks serves four windows."""

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
    """Group the places of a week that are near each other, unless that would be more to read than each by itself."""
    near: dict[tuple[str, int, int], list[int]] = {}
    for i, place in enumerate(places):
        near.setdefault((place.week, place.row // GROUP_BLOCKS, place.col // GROUP_BLOCKS), []).append(i)
    groups = list[Group]()
    for members in near.values():
        together = _group(places, members)
        apart = len(members) * (BLOCK_PX + 2 * margin) ** 2
        window = together.around(margin)
        groups += [together] if window.ny * window.nx <= apart else [_group(places, [i]) for i in members]
    return groups


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


def count_places(blocks: Array, observed: Mapping[str, Array]) -> int:
    """How many places `list_places` would list without a limit."""
    return sum(int(np.count_nonzero(_seen(blocks, tiles))) for tiles in observed.values())


def _seen(blocks: Array, tiles: Array) -> Array:
    """Those blocks whose tile was observed: bool (block row, block col)."""
    per_tile = TILE_10M_PX // BLOCK_PX
    seen: Array = blocks & np.repeat(np.repeat(tiles, per_tile, axis=0), per_tile, axis=1)
    return seen
