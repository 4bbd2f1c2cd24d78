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


def sheets_of(rows: int, cols: int) -> list[Sheet]:
    """Return the sheets of a grid of so many rows and columns of tiles, by row and column."""
    down, across = (-(-tiles // SHEET_TILES) for tiles in (rows, cols))
    return [(row, col) for row in range(down) for col in range(across)]


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
