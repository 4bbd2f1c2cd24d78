"""Split labelled ground into blocks for training and testing: pure functions of labels and a seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from shared.area.splitting import FoldUnit
from shared.geo import TILE_10M_PX, Grid
from shared.items.sheets import SHEET_TILES

BLOCK_PX = TILE_10M_PX // 2
"""Side of a block in 10 m pixels: half a tile. Neighbouring pixels leak, blocks of 1.28 km far less."""

PIXEL_M, SQUARE_M = 10, 100_000

HOLDOUT_SHARE = 0.22
"""Share of the labelled pixels that the hold-out aims at."""

HOLDOUT_SEED = 0
"""Breaks ties as blocks are dealt; one for all models, so that they can be compared."""

TRAIN, HELD_OUT = 1, 2
"""Values of a hold-out; 0 = the block never held a label."""

Array = npt.NDArray[Any]


def count_blocks(labels: Array, classes: int) -> Array:
    """Count the pixels of each class in each block.

    Args:
        labels: uint8 (y, x) at 10 m, 0 = unlabelled, 1..classes; sides are multiples of `BLOCK_PX`.
        classes: number of classes.

    Returns:
        int64 (block row, block col, class): pixels of class value 1 + class.

    Raises:
        ValueError: a side is not a multiple of the block, or a label is above `classes`.
    """
    rows, row_rest = divmod(labels.shape[0], BLOCK_PX)
    cols, col_rest = divmod(labels.shape[1], BLOCK_PX)
    if row_rest or col_rest:
        raise ValueError(f"labels of shape {labels.shape} are not whole blocks of {BLOCK_PX} px")
    if labels.size and int(labels.max()) > classes:
        raise ValueError(f"label {int(labels.max())} is above the number of classes, {classes}")
    blocks = labels.reshape(rows, BLOCK_PX, cols, BLOCK_PX).swapaxes(1, 2).reshape(rows * cols, -1)
    place = np.arange(rows * cols)[:, None] * (classes + 1)
    counts = np.bincount((blocks + place).ravel(), minlength=rows * cols * (classes + 1))
    return counts.reshape(rows, cols, classes + 1)[..., 1:].astype(np.int64)


def stratify(contents: Array, shares: tuple[float, ...], seed: int, dealt: Array | None = None) -> Array:
    """Deal blocks to parts so that each part gets its share of every class.

    Iterative stratification (Sechidis, Tsoumakas, Vlahavas 2011), weighed by pixels instead of presence: the class
    with the fewest blocks left is dealt first, its fullest blocks first, each to the part that still wants most of it.
    While a class has no more blocks left than there are parts without it, only those parts are served, so that
    every class reaches as many parts as it has blocks.

    Args:
        contents: int (block, class): pixels.
        shares: the share of each part; they sum to 1.
        seed: breaks ties.
        dealt: int8 (block,): parts of blocks that were dealt before and stay where they are, -1 elsewhere.

    Returns:
        int8 (block,): part 0..len(shares)-1, or -1 where a block holds no label and never did.
    """
    contents = np.asarray(contents, dtype=np.int64)
    parts = np.full(len(contents), -1, dtype=np.int8) if dealt is None else dealt.astype(np.int8)
    wanted = np.outer(shares, contents.sum(axis=0)).astype(np.float64)
    has: Array = np.zeros(wanted.shape, dtype=bool)
    for part in range(len(shares)):
        held = contents[parts == part].sum(axis=0)
        wanted[part] -= held
        has[part] = held > 0
    tie = np.random.default_rng(seed).permutation(len(contents))
    left: Array = np.asarray(contents.any(axis=1)) & (parts < 0)
    while left.any():
        blocks_left = (contents[left] > 0).sum(axis=0)
        scarce = int(np.argmin(np.where(blocks_left > 0, blocks_left, np.iinfo(np.int64).max)))
        members = np.flatnonzero(left & (contents[:, scarce] > 0))
        members = members[np.lexsort((tie[members], -contents[members, scarce]))]
        for position, block in enumerate(members):
            lacking = ~has[:, scarce]
            urgent = lacking.sum() > 0 and len(members) - position <= lacking.sum()
            candidates = np.flatnonzero(lacking) if urgent else np.arange(len(shares))
            want = wanted[candidates, scarce]
            total = wanted[candidates].sum(axis=1)
            part = candidates[np.lexsort((candidates, -total, -want))[0]]
            parts[block] = part
            wanted[part] -= contents[block]
            has[part] |= contents[block] > 0
        left[members] = False
    return parts


def deal_holdout(counts: Array, before: Array | None = None) -> Array:
    """Deal the hold-out: the same for every model of an area, whatever its settings.

    Args:
        counts: int64 (block row, block col, class), as of `count_blocks`.
        before: the hold-out before this one, uint8 (block row, block col); its blocks stay on their side, those that
            hold labels for the first time are dealt.

    Returns:
        uint8 (block row, block col): 0 never labelled, 1 train, 2 hold-out.
    """
    flat = counts.reshape(-1, counts.shape[-1])
    dealt = None if before is None else before.astype(np.int8).ravel() - np.int8(1)
    holdout: Array = stratify(flat, (1 - HOLDOUT_SHARE, HOLDOUT_SHARE), HOLDOUT_SEED, dealt) + 1
    return holdout.reshape(counts.shape[:2]).astype(np.uint8)


def deal_folds(counts: Array, folds: int, seed: int, units: Array | None = None) -> Array:
    """Deal folds over all labelled blocks.

    Args:
        counts: int64 (block row, block col, class), as of `count_blocks`.
        folds: number of folds; 0 = none.
        seed: of the training; breaks ties.
        units: int (block row, block col): blocks of one number are dealt together; None = each by itself.

    Returns:
        uint8 (block row, block col): 0 unlabelled or no folds, else 1..folds: tested by that fold's network.
    """
    shape = counts.shape[:2]
    if not folds:
        return np.zeros(shape, np.uint8)
    flat = counts.reshape(-1, counts.shape[-1])
    of_unit = np.arange(len(flat)) if units is None else np.unique(units, return_inverse=True)[1].ravel()
    contents = np.zeros((of_unit.max(initial=-1) + 1, flat.shape[1]), np.int64)
    np.add.at(contents, of_unit, flat)
    fold: Array = (stratify(contents, (1 / folds,) * folds, seed + 1) + 1)[of_unit] * flat.any(axis=1)
    return fold.reshape(shape).astype(np.uint8)


def units_of(by: FoldUnit, shape: tuple[int, int], grid: Grid) -> Array | None:
    """Return a number for the sheet or 100 km square of each block: int64 (block row, block col); None for blocks.

    Args:
        by: the unit.
        shape: rows and columns of blocks.
        grid: where they lie; squares are those of its own CRS, by each block's middle.
    """
    rows, cols = np.indices(shape)
    if by == "sheets":
        side = SHEET_TILES * TILE_10M_PX // BLOCK_PX
        down, across = rows // side, cols // side
    elif by == "squares":
        metres = BLOCK_PX * PIXEL_M
        down = np.floor((grid.origin_y_m - (rows + 0.5) * metres) / SQUARE_M).astype(np.int64)
        across = np.floor((grid.origin_x_m + (cols + 0.5) * metres) / SQUARE_M).astype(np.int64)
    else:
        return None
    numbers: Array = (down - down.min()) * (across.max() - across.min() + 1) + across - across.min()
    return numbers


def keep_back(counts: Array, holdout: Array, percent: float, seed: int) -> Array:
    """Keep training blocks back that tell the loss of validation; the hold-out is never among them.

    Args:
        counts: int64 (block row, block col, class), as of `count_blocks`.
        holdout: uint8 (block row, block col), as of `deal_holdout`.
        percent: share of the training blocks' labelled pixels that it aims at; 0 = none.
        seed: breaks ties.

    Returns:
        bool (block row, block col).
    """
    if not percent:
        return np.zeros(holdout.shape, bool)
    training = np.where((holdout == 1)[..., None], counts, 0).reshape(-1, counts.shape[-1])
    parts = stratify(training, (1 - percent / 100, percent / 100), seed + 2)  # + 1 deals the folds
    kept: Array = (parts == 1).reshape(holdout.shape)
    return kept


def trainable(tested: Array, top: int, left: int, ny: int, nx: int, buffer_px: int) -> Array:
    """Where a window may carry loss: not in a tested block, nor within the buffer around one.

    Args:
        tested: bool (block row, block col): blocks that this network is tested on.
        top: first row of the window in 10 m px of the grid; may be negative.
        left: first column of the window.
        ny: rows of the window.
        nx: columns of the window.
        buffer_px: width of the buffer, below that of a block: mixed edge pixels would leak into the test.

    Returns:
        bool (ny, nx); False outside the grid.
    """

    def near(start: int, count: int, blocks: int) -> list[Array]:
        pixel = np.arange(start, start + count)
        inside = (pixel >= 0) & (pixel < blocks * BLOCK_PX)
        rows = [np.clip((pixel + d) // BLOCK_PX, 0, blocks - 1) for d in (-buffer_px, 0, buffer_px)]
        return [*rows, inside]

    # The block is far larger than the buffer, so the blocks at the four corners, sides and middle of a pixel's
    # buffer square are all the blocks that it touches.
    *rows, row_inside = near(top, ny, tested.shape[0])
    *cols, col_inside = near(left, nx, tested.shape[1])
    allowed: Array = row_inside[:, None] & col_inside[None, :]
    for row in rows:
        for col in cols:
            allowed &= ~tested[row[:, None], col[None, :]]
    return allowed
