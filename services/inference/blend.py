"""Lay overlapping windows over a sheet and blend their answers: integers only, so no order changes a bit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.geo import TILE_10M_PX
from shared.raster.grid import Window

WINDOW_PX = TILE_10M_PX
"""Side of a window in 10 m pixels: what the model is served with."""

CONFIDENCE_NODATA = 255

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class BlendedStrip:
    """Finished rows of a map.

    Attributes:
        top: first row below the extent's.
        values: uint8 (rows, nx): class, 0 where nothing was predicted.
        confidence: uint8 (rows, nx): percent, 255 where nothing was predicted.
    """

    top: int
    values: Array
    confidence: Array


def map_extent(
    extent: Window,
    observed: Array,
    predict: Callable[[list[tuple[int, int]]], Iterable[Array]],
    classes: int,
    overlap_px: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Array, Array]:
    """Map an extent.

    Args:
        extent: a sheet.
        observed: bool (tile row, tile col) of the whole grid.
        predict: corners of a row of windows -> probabilities, as of `blend`.
        classes: number of classes.
        overlap_px: what neighbouring windows share.
        progress: called with (windows done, windows in total).

    Returns:
        Class uint8 (ny, nx), 0 = not observed, and confidence uint8 (ny, nx), percent, 255 = not observed.
    """
    values = np.zeros((extent.ny, extent.nx), np.uint8)
    confidence = np.full((extent.ny, extent.nx), CONFIDENCE_NODATA, np.uint8)
    rows = lay_windows(extent, observed, overlap_px)
    done = 0

    def counted(row: list[tuple[int, int]]) -> Iterator[Array]:
        nonlocal done
        yield from predict(row)
        done += len(row)
        progress(done, sum(map(len, rows)))

    for strip in blend(rows, counted, extent, classes, overlap_px):
        part = slice(strip.top, strip.top + len(strip.values))
        values[part], confidence[part] = strip.values, strip.confidence
    return values, confidence


def lay_windows(extent: Window, observed: Array, overlap_px: int) -> list[list[tuple[int, int]]]:
    """Upper left corners of the windows that touch an extent and an observed tile, in rows from north to south.

    The lattice is the area's, not the extent's: two sheets see the same windows along their border, so it never shows.
    The windows reach less than a tile beyond a sheet.

    Args:
        extent: a sheet.
        observed: bool (tile row, tile col) of the whole grid.
        overlap_px: what neighbouring windows share.

    Returns:
        Rows of (y, x) in 10 m pixels of the grid; may lie partly outside it. Rows without a window are left out.
    """
    rows = []
    for y in _starts(extent.y, extent.ny, observed.shape[0] * TILE_10M_PX, overlap_px):
        row = []
        for x in _starts(extent.x, extent.nx, observed.shape[1] * TILE_10M_PX, overlap_px):
            # Only tiles within the extent count: a window with data beyond it alone says nothing of it.
            top, left = max(y, extent.y), max(x, extent.x)
            bottom, right = min(y + WINDOW_PX, extent.y + extent.ny), min(x + WINDOW_PX, extent.x + extent.nx)
            if observed[
                top // TILE_10M_PX : -(-bottom // TILE_10M_PX), left // TILE_10M_PX : -(-right // TILE_10M_PX)
            ].any():
                row.append((y, x))
        if row:
            rows.append(row)
    return rows


def _starts(first: int, count: int, size: int, overlap_px: int) -> list[int]:
    """Where windows begin along one axis of a grid of `size` px, so that each pixel lies in the middle of one.

    A window whose middle `WINDOW_PX - overlap_px` px lie outside the grid is never needed; that holds for all sheets.
    """
    stride, half = WINDOW_PX - overlap_px, overlap_px // 2
    starts = range(-half, size - half, stride)
    return [s for s in starts if s + WINDOW_PX > first and s < first + count]


def ramp(overlap_px: int) -> Array:
    """Weight along one side of a window: 0 over the outer quarter of the overlap, then rising, then flat.

    Where two windows overlap their weights sum to the flat value, overlap / 2 + 1.

    Args:
        overlap_px: a multiple of 4, at most half a window.

    Returns:
        int64 (WINDOW_PX,).
    """
    flat = overlap_px // 2 + 1
    distance = np.minimum(np.arange(WINDOW_PX), np.arange(WINDOW_PX)[::-1])
    weight: Array = np.clip(distance - overlap_px // 4 + 1, 0, flat)
    return weight


def blend(
    rows: Iterable[list[tuple[int, int]]],
    predict: Callable[[list[tuple[int, int]]], Iterable[Array]],
    extent: Window,
    classes: int,
    overlap_px: int,
) -> Iterator[BlendedStrip]:
    """Predict windows row by row and blend them.

    Args:
        rows: as of `lay_windows`.
        predict: corners of a row -> for each, probabilities uint8 (WINDOW_PX, WINDOW_PX, classes), 255 = 1.
        extent: the sheet.
        classes: number of classes.
        overlap_px: as the windows were laid.

    Yields:
        Strips from north to south; rows between them hold nothing. The class is the one with the largest blended
        probability, the lowest value among equals.
    """
    edge = ramp(overlap_px)
    weight = (edge[:, None] * edge[None, :]).astype(np.uint32)
    # Sums stay below 255 * (WINDOW_PX / 4 + 1) ** 2 * 4 < 2 ** 32: no overflow at any overlap.
    width = extent.nx + 2 * WINDOW_PX
    total = np.zeros((WINDOW_PX, width, classes), np.uint32)
    weights = np.zeros((WINDOW_PX, width), np.uint32)
    row_y: int | None = None

    def finish(count: int, y: int) -> Iterator[BlendedStrip]:
        top, bottom = max(y, extent.y), min(y + count, extent.y + extent.ny)
        if top < bottom:
            rows_ = slice(top - y, bottom - y)
            cols = slice(WINDOW_PX, WINDOW_PX + extent.nx)
            yield BlendedStrip(top - extent.y, *decide(total[rows_, cols], weights[rows_, cols]))

    for row in rows:
        y = row[0][0]
        if row_y is not None:
            step = min(y - row_y, WINDOW_PX)
            yield from finish(step, row_y)
            for array in (total, weights):
                array[: WINDOW_PX - step] = array[step:].copy()
                array[WINDOW_PX - step :] = 0
        row_y = y
        for (_, x), share in zip(row, predict(row), strict=True):
            left = x - extent.x + WINDOW_PX
            total[:, left : left + WINDOW_PX] += weight[..., None] * share
            weights[:, left : left + WINDOW_PX] += weight
    if row_y is not None:
        yield from finish(WINDOW_PX, row_y)


def decide(total: Array, weights: Array) -> tuple[Array, Array]:
    """Class and confidence of blended probabilities.

    Args:
        total: uint32 (y, x, classes): sum of weight times probability.
        weights: uint32 (y, x): sum of the weights.

    Returns:
        Class uint8 (y, x), 0 where all are 0; confidence uint8 (y, x), percent, 255 there.
    """
    best = total.max(axis=-1).astype(np.uint64)
    seen = best > 0
    values = (total.argmax(axis=-1) + 1).astype(np.uint8) * seen
    scale = np.maximum(255 * weights.astype(np.uint64), 1)
    percent = np.minimum((200 * best + scale) // (2 * scale), 100)
    return values, np.where(seen, percent, CONFIDENCE_NODATA).astype(np.uint8)
