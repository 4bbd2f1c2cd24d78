"""Tiles one by one, as slowly and plainly as their definition: what the product does for whole weeks at once."""

from __future__ import annotations

from shared.geo import TILE_M, Grid, TileIndex
from shared.items.sheets import SHEET_TILES, Runs, Sheet


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


def bounds_m(grid: Grid, tile: TileIndex) -> tuple[int, int, int, int]:
    """West, south, east, north of a tile in metres of the grid's CRS."""
    west, north = grid.origin_x_m + tile.col * TILE_M, grid.origin_y_m - tile.row * TILE_M
    return west, north - TILE_M, west + TILE_M, north
