"""Grids and the MGRS tiling: small checked geometry types without any client."""

from shared.geo.grid import TILE_10M_PX, TILE_20M_PX, TILE_M, Grid, TileIndex
from shared.geo.mgrs import MgrsTile

__all__ = ["TILE_10M_PX", "TILE_20M_PX", "TILE_M", "Grid", "MgrsTile", "TileIndex"]
