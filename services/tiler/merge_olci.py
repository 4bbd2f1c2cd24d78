"""Merge OLCI frames into the cube."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import zarr

from services.tiler.arrays import read, write
from services.tiler.frame import PIXEL_M, Frame
from services.tiler.ledger import Ledger
from services.tiler.merge_laws import Pixels, merge_olci, wins_olci
from services.tiler.update import Progress, Sensor, Tiles
from shared.cube.layout import OLCI
from shared.geo import TILE_M, TileIndex


def _span_300m(tile: TileIndex) -> tuple[slice, slice]:
    """Rows and columns of the 300 m pixels whose centre lies in a tile."""

    def span(index: int) -> slice:
        return slice(*(-(-(edge * TILE_M - PIXEL_M // 2) // PIXEL_M) for edge in (index, index + 1)))

    return span(tile.row), span(tile.col)


def clear_tile(group: zarr.Group, week: int, tile: TileIndex) -> None:
    """Empty a tile-week."""
    at = (week, *_span_300m(tile))
    write(group, f"{OLCI}/300m", at, np.nan)
    write(group, f"{OLCI}/300m_source", at, 0)
    write(group, f"{OLCI}/300m_rank", at, 0)


def merge_frame(
    group: zarr.Group, week: int, frame: Frame, ledger: Ledger, only: Tiles | None, progress: Progress
) -> None:
    """Merge a frame's pixels as a whole; see `Sensor.merge`."""
    y, x, pixels = frame.pixels()
    tiles = frame.touched(y, x, pixels)
    new = ledger.lacking([t for t in tiles if only is None or t in only], frame.number)
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
        read(group, f"{OLCI}/300m", at), read(group, f"{OLCI}/300m_source", at), read(group, f"{OLCI}/300m_rank", at)
    )
    if wins_olci(candidate, stored).any():
        merged = merge_olci(candidate, stored)
        write(group, f"{OLCI}/300m", at, merged.radiance)
        write(group, f"{OLCI}/300m_source", at, merged.source)
        write(group, f"{OLCI}/300m_rank", at, merged.rank)


SENTINEL_3: Final = Sensor(OLCI, clear_tile, merge_frame)
