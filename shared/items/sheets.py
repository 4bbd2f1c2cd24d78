"""Sheets, the unit of a map, and tiles as runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.geo import TileIndex

SHEET_TILES = 32
"""Tiles along a side of a sheet."""

Sheet = tuple[int, int]
"""(row, col) of a sheet, counted as its tiles are."""

Runs = Iterable[Sequence[int]]
"""Tiles as runs [row, first col, last col]."""


def sheet_of(tile: TileIndex) -> Sheet:
    """Return the sheet that a tile lies in."""
    return tile.row // SHEET_TILES, tile.col // SHEET_TILES


def in_halo(tile: TileIndex, sheet: Sheet) -> bool:
    """Return whether a tile lies in a sheet or in the one-tile halo around it."""
    rows, cols = sheet[0] * SHEET_TILES, sheet[1] * SHEET_TILES
    return -1 <= tile.row - rows <= SHEET_TILES and -1 <= tile.col - cols <= SHEET_TILES


def tiles_of_runs(runs: Runs) -> list[TileIndex]:
    """Return the tiles of runs [row, first col, last col]."""
    return [TileIndex(row, col) for row, first, last in runs for col in range(first, last + 1)]


def runs_of(tiles: Iterable[TileIndex]) -> list[list[int]]:
    """Return the tiles as runs [row, first col, last col], ascending."""
    runs: list[list[int]] = []
    for row, col in sorted(tiles):
        if runs and runs[-1][0] == row and runs[-1][2] == col - 1:
            runs[-1][2] = col
        else:
            runs.append([row, col, col])
    return runs


def count_tiles(runs: Runs) -> int:
    """Return how many tiles runs hold."""
    return sum(last - first + 1 for _, first, last in runs)
