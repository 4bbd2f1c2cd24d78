"""Laws of the split: disjoint blocks, a buffer, every class on both sides, the same answer every time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.trainer.split import (
    BLOCK_PX,
    HELD_OUT,
    HOLDOUT_SHARE,
    count_blocks,
    deal_folds,
    deal_holdout,
    stratify,
    trainable,
    units_of,
)
from shared.geo import Grid


@st.composite
def contents(draw: st.DrawFn) -> np.ndarray:
    """Pixels of each class in each block, many of them 0."""
    blocks, classes = draw(st.integers(1, 40)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.integers(0, BLOCK_PX**2 // 8, (blocks, classes)) * (rng.random((blocks, classes)) < 0.4)


@given(contents(), st.integers(0, 100), st.integers(2, 5))
def test_stratify_deals_each_labelled_block_to_one_part(table: np.ndarray, seed: int, parts: int) -> None:
    shares = (1 / parts,) * parts
    dealt = stratify(table, shares, seed)
    assert ((dealt >= 0) == table.any(axis=1)).all()
    assert dealt.max(initial=0) < parts
    assert (dealt == stratify(table.copy(), shares, seed)).all()


@given(st.integers(0, 1000), st.integers(2, 5), st.integers(5, 30))
def test_a_class_reaches_every_part_that_it_has_blocks_for(seed: int, parts: int, blocks: int) -> None:
    """Of one class; with several, blocks dealt for a rarer class may already have decided."""
    table = np.random.default_rng(seed).integers(1, 1000, (blocks, 1))
    assert set(stratify(table, (1 / parts,) * parts, seed).tolist()) == set(range(parts))


def test_each_class_gets_its_share() -> None:
    rng = np.random.default_rng(3)
    table = rng.integers(0, 4000, (400, 6)) * (rng.random((400, 6)) < 0.3)
    dealt = stratify(table, (1 - HOLDOUT_SHARE, HOLDOUT_SHARE), 0)
    share = table[dealt == 1].sum(axis=0) / table.sum(axis=0)
    assert np.abs(share - HOLDOUT_SHARE).max() < 0.05


def test_split_marks_holdout_and_folds() -> None:
    counts = np.random.default_rng(1).integers(0, 500, (10, 12, 4))
    counts[0, 0] = 0
    holdout, fold = deal_holdout(counts), deal_folds(counts, 5, 0)
    assert holdout[0, 0] == fold[0, 0] == 0
    assert set(np.unique(holdout)) == {0, 1, 2}
    assert set(np.unique(fold)) == {0, 1, 2, 3, 4, 5}
    assert not deal_folds(counts, 0, 0).any()


@given(contents(), st.integers(0, 2**32 - 1))
def test_a_block_that_was_dealt_stays_on_its_side(table: np.ndarray, seed: int) -> None:
    """Whatever is labelled later, and also where labels are gone."""
    rng = np.random.default_rng(seed)
    first = table * (rng.random((len(table), 1)) < 0.5)
    before = deal_holdout(first[None])
    after = deal_holdout((table * (rng.random((len(table), 1)) < 0.8))[None], before)
    assert (after[before > 0] == before[before > 0]).all()
    assert (deal_holdout(first[None], before) == before).all(), "nothing is new"


def test_what_is_labelled_later_is_dealt_so_that_the_whole_has_its_shares() -> None:
    rng = np.random.default_rng(3)
    table = rng.integers(0, 4000, (1, 400, 6)) * (rng.random((1, 400, 6)) < 0.3)
    before = deal_holdout(table * (np.arange(400) < 150)[:, None])
    after = deal_holdout(table, before)
    share = table[after == HELD_OUT].sum(axis=0) / table.sum(axis=(0, 1))
    assert np.abs(share - HOLDOUT_SHARE).max() < 0.05


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_count_blocks_counts_each_pixel_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, (2 * BLOCK_PX, 3 * BLOCK_PX)).astype(np.uint8)
    counts = count_blocks(labels, 3)
    for row in range(2):
        for col in range(3):
            block = labels[row * BLOCK_PX : (row + 1) * BLOCK_PX, col * BLOCK_PX : (col + 1) * BLOCK_PX]
            assert counts[row, col].tolist() == [int((block == value).sum()) for value in (1, 2, 3)]


def test_count_blocks_refuses_what_it_cannot_count() -> None:
    with pytest.raises(ValueError, match="whole blocks"):
        count_blocks(np.zeros((100, 128), np.uint8), 3)
    with pytest.raises(ValueError, match="above the number of classes"):
        count_blocks(np.full((128, 128), 4, np.uint8), 3)


@given(st.integers(0, 2**32 - 1), st.integers(-70, 300), st.integers(-70, 300), st.sampled_from([0, 3, 64]))
@settings(max_examples=30)
def test_trainable_keeps_the_buffer(seed: int, top: int, left: int, buffer_px: int) -> None:
    """Beside an oracle that looks at the whole square around each pixel."""
    tested = np.random.default_rng(seed).random((3, 3)) < 0.3
    side = 3 * BLOCK_PX
    pixels = tested.repeat(BLOCK_PX, axis=0).repeat(BLOCK_PX, axis=1)
    near = np.zeros((side, side), bool)
    for y, x in np.argwhere(tested):
        near[
            max(0, y * BLOCK_PX - buffer_px) : (y + 1) * BLOCK_PX + buffer_px,
            max(0, x * BLOCK_PX - buffer_px) : (x + 1) * BLOCK_PX + buffer_px,
        ] = True
    assert (near | ~pixels).all()
    expected = np.zeros((192, 192), bool)
    for i in range(192):
        y = top + i
        if 0 <= y < side:
            x0, x1 = max(left, 0), min(left + 192, side)
            if x0 < x1:
                expected[i, x0 - left : x1 - left] = ~near[y, x0:x1]
    assert (trainable(tested, top, left, 192, 192, buffer_px) == expected).all()


@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_blocks_of_one_unit_are_dealt_together(seed: int, folds: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 500, (8, 9, 3)) * (rng.random((8, 9, 1)) < 0.8)
    units = (np.arange(8)[:, None] // 4) * 3 + np.arange(9) // 3
    fold = deal_folds(counts, folds, seed, units)
    assert ((fold > 0) == counts.any(axis=2)).all()
    for unit in range(6):
        assert len(np.unique(fold[(units == unit) & (fold > 0)])) <= 1
    if folds == 6 and all(counts[units == unit].any() for unit in range(6)):
        assert len(np.unique(fold[fold > 0])) == 6, "each is left out once"


def test_units_are_sheets_and_squares_of_100_km() -> None:
    grid = Grid(32633, 390_000, 5_810_040, 100, 100)
    assert units_of("blocks", (200, 200), grid) is None
    sheets = units_of("sheets", (200, 200), grid)
    assert sheets is not None
    assert len(np.unique(sheets)) == 16
    assert sheets[0, 0] == sheets[63, 63] != sheets[64, 63]
    squares = units_of("squares", (200, 200), grid)
    assert squares is not None
    first = 10_000 / 1280  # blocks to the next hundred kilometres, both ways
    assert squares[int(first - 1), int(first - 1)] == squares[0, 0]
    assert len({squares[0, 0], squares[int(first + 1), 0], squares[0, int(first + 1)]}) == 3
