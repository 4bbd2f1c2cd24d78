"""Which pixels are learned from, which tell the loss of validation, and which lie near a label edge."""

from __future__ import annotations

import numpy as np
import pytest

from services.trainer.ground import ground_of, near_edges
from services.trainer.places import Place
from services.trainer.split import BLOCK_PX, deal_holdout, keep_back
from services.trainer.windows import Windows
from shared.area.training import TrainingSettings

MARGIN = 32
SIDE = BLOCK_PX + 2 * MARGIN
PLAIN = TrainingSettings()


def windows_of(*labels: np.ndarray) -> Windows:
    """Windows of blocks in one row, observed everywhere."""
    count = len(labels)
    fine = np.full((count, SIDE, SIDE, 4), 2000, np.uint16)
    coarse = np.full((count, SIDE // 2, SIDE // 2, 6), 2000, np.uint16)
    return Windows(tuple(Place("2018-W20", 0, i) for i in range(count)), fine, coarse, np.stack(labels), MARGIN)


def test_near_an_edge_is_what_sees_another_label() -> None:
    labels = np.ones((1, 5, 9), np.uint8)
    labels[0, :, 5:] = 2
    observed = np.ones(labels.shape, bool)
    assert np.flatnonzero(near_edges(labels, observed, 1)[0, 2]).tolist() == [4, 5]
    assert np.flatnonzero(near_edges(labels, observed, 2)[0, 2]).tolist() == [3, 4, 5, 6]


def test_a_polygon_ends_where_no_label_is() -> None:
    labels = np.zeros((1, 7, 7), np.uint8)
    labels[0, 2:5, 2:5] = 3
    near = near_edges(labels, np.ones(labels.shape, bool), 1)
    assert near[0, 2:5, 2:5].sum() == 8
    assert not near[0, 3, 3]


def test_neither_a_cloud_nor_the_rim_of_a_window_is_a_label_edge() -> None:
    observed = np.ones((1, 6, 6), bool)
    observed[0, :, 3] = False
    labels = np.where(observed, 4, 0).astype(np.uint8)
    assert not near_edges(labels, observed, 2).any()


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_edges_carry_no_loss_or_less(weight: float) -> None:
    labels = np.ones((SIDE, SIDE), np.uint8)
    labels[:, SIDE // 2 :] = 2
    nowhere = np.zeros((1, 1), bool)
    ground = ground_of(windows_of(labels), nowhere, nowhere, TrainingSettings(edge_px=3, edge_weight=weight))
    rows = slice(MARGIN, MARGIN + BLOCK_PX)  # the grid ends around the only block
    middle = np.arange(SIDE // 2 - 3, SIDE // 2 + 3)
    if weight:
        assert ground.near is not None
        assert np.flatnonzero(ground.near[0, 50]).tolist() == middle.tolist()
        assert ground.targets[0, rows, middle].all()
    else:
        assert ground.near is None
        assert np.flatnonzero(ground.targets[0, 50] == 0).tolist()[MARGIN:-MARGIN] == middle.tolist()


def test_blocks_of_validation_carry_no_loss_and_tell_one() -> None:
    windows = windows_of(*[np.ones((SIDE, SIDE), np.uint8)] * 3)
    tested, kept = np.array([[True, False, False]]), np.array([[True, True, False]])
    ground = ground_of(windows, tested, kept, PLAIN)
    assert ground.validation is not None
    assert not ground.validation[0].any(), "tested blocks are never validated on"
    assert ground.validation[1].sum() == BLOCK_PX**2, "the block itself, without its surroundings"
    assert windows.inner(ground.validation)[1].all()
    assert not ground.validation[2].any()
    assert not ground.targets[:2].any()
    assert ground.targets[2].any()
    assert not ground.targets[2][:, : MARGIN + 3].any(), "nor within the buffer around one"


def test_a_class_that_nobody_learns_is_not_validated_on() -> None:
    odd = np.ones((SIDE, SIDE), np.uint8)
    odd[MARGIN : MARGIN + 20] = 5
    windows = windows_of(np.ones((SIDE, SIDE), np.uint8), odd)
    ground = ground_of(windows, np.zeros((1, 2), bool), np.array([[False, True]]), PLAIN)
    assert ground.validation is not None
    assert set(np.unique(ground.validation)) == {0, 1}


def test_validation_is_a_share_of_the_training_blocks_and_never_of_the_hold_out() -> None:
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 500, (12, 12, 4)) * (rng.random((12, 12, 1)) < 0.8)
    holdout = deal_holdout(counts)
    kept = keep_back(counts, holdout, 20, 0)
    assert not (kept & (holdout != 1)).any()
    shares = [counts[keep_back(counts, holdout, p, 0)].sum() / counts[holdout == 1].sum() for p in (20, 45)]
    assert 0.15 < shares[0] < 0.3 < shares[1] < 0.55, "aimed at: blocks are dealt whole, and every class is to be there"
    assert (counts[kept].sum(axis=0) > 0).all()
    np.testing.assert_array_equal(kept, keep_back(counts, holdout, 20, 0))
    assert (kept != keep_back(counts, holdout, 20, 1)).any()
    assert not keep_back(counts, holdout, 0, 0).any()
