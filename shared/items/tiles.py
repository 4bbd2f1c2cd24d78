"""What the current cube updates of a week touch: which sheets, and the ledger that the cube is to hold."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from shared.geo import Grid
from shared.items.catalogue import Catalogue
from shared.items.collections import UPDATES
from shared.items.ids import product_number
from shared.items.item import Item
from shared.items.sheets import SHEET_TILES, Runs, Sheet

MSI, OLCI, LABELS = "msi", "olci", "labels"
"""Sensors, as cube updates name what they changed."""

Box = tuple[slice, slice]
"""Rows and columns of tiles."""


@dataclass(frozen=True)
class WeekTiles:
    """The current updates of a sensor in a week by where they lie.

    Attributes:
        grid: the area's.
        updates: those that touch a tile, by id.
        inside: sheet -> updates that touch a tile of it.
        around: sheet -> updates that touch it or its one-tile halo, by id.
        boxes: id of an update -> its tiles as rectangles of rows and columns.
    """

    grid: Grid
    updates: Sequence[Item]
    inside: Mapping[Sheet, Sequence[Item]]
    around: Mapping[Sheet, Sequence[Item]]
    boxes: Mapping[str, Sequence[Box]]

    def ledger_digest(self, sheet: Sheet) -> str:
        """Return the digest of the ledger expected over a sheet and its halo, which may be empty."""
        if sheet not in self._digests:
            rows, cols = sheet_window(sheet, self.grid)
            self._digests[sheet] = digest_ledger(self._ledger[rows.start : rows.stop, cols.start : cols.stop])
        return self._digests[sheet]

    @cached_property
    def _digests(self) -> dict[Sheet, str]:
        return {}

    @cached_property
    def _ledger(self) -> npt.NDArray[np.uint64]:
        """The ledger that the week is to have: uint64 (row, col, slot), ascending, then zeros."""
        counts = np.zeros((self.grid.rows, self.grid.cols), np.intp)
        for update in self.updates:
            for rows, cols in self.boxes[update.id]:
                counts[rows, cols] += 1
        ledger = np.zeros((*counts.shape, int(counts.max(initial=0))), np.uint64)
        counts[:] = 0
        for number, update_id in sorted(
            (product_number(str(u.properties["landstream:product"])), u.id) for u in self.updates
        ):
            for rows, cols in self.boxes[update_id]:
                np.put_along_axis(ledger[rows, cols], counts[rows, cols, None], np.uint64(number), axis=2)
                counts[rows, cols] += 1
        return ledger


def _boxes(runs: Runs) -> Iterator[Box]:
    """Yield the tiles of runs as rectangles: runs of the same columns in rows that follow each other are one."""
    first: Sequence[int] | None = None
    last = -1
    for run in runs:
        if first is not None and run[0] == last + 1 and run[1] == first[1] and run[2] == first[2]:
            last = run[0]
            continue
        if first is not None:
            yield slice(first[0], last + 1), slice(first[1], first[2] + 1)
        first, last = run, run[0]
    if first is not None:
        yield slice(first[0], last + 1), slice(first[1], first[2] + 1)


def sheet_window(sheet: Sheet, grid: Grid) -> tuple[range, range]:
    """Return the rows and columns of tiles of a sheet and its one-tile halo, within the grid."""
    (top, left), side = (sheet[0] * SHEET_TILES, sheet[1] * SHEET_TILES), SHEET_TILES + 1
    rows = range(max(0, top - 1), min(grid.rows, top + side))
    return rows, range(max(0, left - 1), min(grid.cols, left + side))


def digest_ledger(ledger: npt.NDArray[np.uint64]) -> str:
    """Return the first 16 hex digits of the sha256 of a window of the ledger.

    Args:
        ledger: uint64 (row, col, slot): ascending product numbers, then zeros; the number of slots does not matter.
    """
    filled = ledger != 0
    digest = hashlib.sha256(repr(ledger.shape[:2]).encode())
    digest.update(filled.sum(axis=2).astype("<u2").tobytes())
    digest.update(ledger[filled].astype("<u8").tobytes())
    return digest.hexdigest()[:16]


def week_tiles(catalogue: Catalogue, week: str, sensor: str = MSI) -> WeekTiles:
    """Return where the current updates of a sensor in a week lie."""
    return catalogue.once(week, f"tiles of {sensor}", lambda: _week_tiles(catalogue, week, sensor))


def _week_tiles(catalogue: Catalogue, week: str, sensor: str) -> WeekTiles:
    inside, around = dict[Sheet, list[Item]](), dict[Sheet, list[Item]]()
    boxes: dict[str, list[Box]] = {}
    updates = [u for u in catalogue.current(UPDATES, week) if touches(u, sensor)]
    for update in updates:
        boxes[update.id] = list(_boxes(update.properties["landstream:tiles"]))
        for sheet in set(_sheets(boxes[update.id], 0)):
            inside.setdefault(sheet, []).append(update)
        for sheet in set(_sheets(boxes[update.id], 1)):
            around.setdefault(sheet, []).append(update)
    return WeekTiles(catalogue.area.grid, updates, inside, around, boxes)


def sheets_near(update: Item) -> set[Sheet]:
    """Return the sheets that an update touches, halo included."""
    return set(_sheets(_boxes(update.properties["landstream:tiles"]), 1))


def touches(update: Item, sensor: str) -> bool:
    """Return whether an update is of a sensor and touches a tile; that of a withdrawal never does."""
    p = update.properties
    return p.get("landstream:sensor") == sensor and bool(p.get("landstream:tiles"))


def _sheets(boxes: Iterable[Box], halo: int) -> Iterator[Sheet]:
    """Yield the sheets that hold a tile of rectangles, or have one within so many tiles of their edge."""
    for rows, cols in boxes:
        for y in range((rows.start - halo) // SHEET_TILES, (rows.stop - 1 + halo) // SHEET_TILES + 1):
            for x in range((cols.start - halo) // SHEET_TILES, (cols.stop - 1 + halo) // SHEET_TILES + 1):
                if y >= 0 and x >= 0:
                    yield y, x
