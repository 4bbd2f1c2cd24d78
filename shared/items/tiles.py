"""What the current cube updates of a week touch: which sheets, and the ledger that the cube is to hold."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.geo import Grid
from shared.items.catalogue import Catalogue
from shared.items.collections import UPDATES
from shared.items.item import Item
from shared.items.keys import product_number
from shared.items.sheets import SHEET_TILES, Runs, Sheet

MSI, OLCI, LABELS = "msi", "olci", "labels"
"""Sensors, as cube updates name what they changed."""


@dataclass(frozen=True)
class WeekTiles:
    """The current Sentinel-2 updates of a week by where they lie.

    Attributes:
        grid: the area's.
        updates: those that touch a tile, by id.
        inside: sheet -> updates that touch a tile of it.
        around: sheet -> updates that touch it or its one-tile halo, by id.
    """

    grid: Grid
    updates: Sequence[Item]
    inside: Mapping[Sheet, Sequence[Item]]
    around: Mapping[Sheet, Sequence[Item]]

    def ledger_digest(self, sheet: Sheet) -> str | None:
        """Return the digest of the ledger expected over a sheet and its halo; None where nothing touches the sheet."""
        if sheet not in self.inside:
            return None
        rows, cols = sheet_window(sheet, self.grid)
        counts = np.zeros((len(rows), len(cols)), np.intp)
        ordered = sorted((product_number(str(u.properties["landstream:product"])), u.id, u) for u in self.around[sheet])
        ledger = np.zeros((len(rows), len(cols), len(ordered)), np.uint64)
        for number, _, update in ordered:
            for row, first, last in update.properties["landstream:tiles"]:
                begin, end = max(first, cols.start) - cols.start, min(last + 1, cols.stop) - cols.start
                if row in rows and begin < end:
                    y, x = row - rows.start, np.arange(begin, end)
                    ledger[y, x, counts[y, begin:end]] = number
                    counts[y, begin:end] += 1
        return digest_ledger(ledger)


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


def week_tiles(catalogue: Catalogue, week: str) -> WeekTiles:
    """Return where the current Sentinel-2 updates of a week lie."""
    key = (week, "tiles")
    if key not in catalogue.memo:
        inside, around = dict[Sheet, list[Item]](), dict[Sheet, list[Item]]()
        updates = [u for u in catalogue.current(UPDATES, week) if touches(u, MSI)]
        for update in updates:
            runs = update.properties["landstream:tiles"]
            for sheet in set(_sheets(runs, 0)):
                inside.setdefault(sheet, []).append(update)
            for sheet in set(_sheets(runs, 1)):
                around.setdefault(sheet, []).append(update)
        catalogue.memo[key] = WeekTiles(catalogue.area.grid, updates, inside, around)
    found: Any = catalogue.memo[key]
    assert isinstance(found, WeekTiles)
    return found


def touches(update: Item, sensor: str) -> bool:
    """Return whether an update is of a sensor and touches a tile; that of a withdrawal never does."""
    p = update.properties
    return p.get("landstream:sensor") == sensor and bool(p.get("landstream:tiles"))


def _sheets(runs: Runs, halo: int) -> Iterator[Sheet]:
    """Yield the sheets that hold a tile of runs, or have one within so many tiles of their edge."""
    for row, first, last in runs:
        for y in {(row - halo) // SHEET_TILES, row // SHEET_TILES, (row + halo) // SHEET_TILES}:
            for x in range((first - halo) // SHEET_TILES, (last + halo) // SHEET_TILES + 1):
                if y >= 0 and x >= 0:
                    yield y, x
