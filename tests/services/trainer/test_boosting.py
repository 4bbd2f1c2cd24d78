"""The baseline with context: what it sees, that it learns, and the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from services.trainer import boosting
from services.trainer.boosting import RIM_PX, SQUARE_PX, choose_weeks, map_cells, train_boosting
from services.trainer.places import Place
from services.trainer.windows import Windows

SIDE = 192


def textured(count: int, seed: int) -> Windows:
    """Class 1 is smooth and class 2 is rough; single pixels of both look alike."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(1, 3, (count, 6, 6)).astype(np.uint8).repeat(32, axis=1).repeat(32, axis=2)
    level = rng.choice([-300, 300], (count, SIDE, SIDE, 1)) * (labels[..., None] == 2)
    smooth = rng.choice([-300, 300], (count, 6, 6, 1)).repeat(32, axis=1).repeat(32, axis=2) * (labels[..., None] == 1)
    fine = (3000 + level + smooth).repeat(4, axis=-1).astype(np.uint16)
    places = tuple(Place("2018-W20", 0, col) for col in range(count))
    return Windows(places, fine, fine[:, ::2, ::2, :1].repeat(6, axis=-1), labels, 32)


def digest() -> str:
    """The answers of an ensemble as text."""
    windows = textured(3, 0)
    return map_cells(train_boosting(windows, windows.labels, 0), windows).tobytes().hex()


def test_it_tells_texture_where_single_pixels_are_alike() -> None:
    windows, unseen = textured(4, 0), textured(2, 1)
    mapped = map_cells(train_boosting(windows, windows.labels, 0), unseen)
    labels = unseen.inner(unseen.labels)
    cells = np.zeros(labels.shape, bool)
    cells[:, ::2, ::2] = True
    assert ((mapped > 0) == cells).all(), "one pixel of each 20 m cell"
    assert (mapped == labels)[cells].mean() > 0.8


def test_what_has_no_label_is_not_mapped() -> None:
    windows = textured(2, 0)
    ensemble = train_boosting(windows, windows.labels, 0)
    windows.labels[0] = 0
    windows.labels[1, :96] = 0
    mapped = map_cells(ensemble, windows)
    assert not mapped[0].any()
    assert not mapped[1, :64].any()
    assert mapped[1, 64::2, ::2].all()


def test_one_labelled_pixel_at_the_edge_of_a_window_is_enough() -> None:
    windows = textured(1, 0)
    targets = np.zeros_like(windows.labels)
    targets[0, 191, 0] = 2
    mapped = map_cells(train_boosting(windows, targets, 0), windows)
    assert (mapped[:, ::2, ::2] == 2).all()


@pytest.mark.parametrize(("at", "first", "inside"), [(0, 0, (0, 49)), (96, 64, (15, 49)), (191, 128, (15, 64))])
def test_features_are_those_of_the_whole_window(at: int, first: int, inside: tuple[int, int]) -> None:
    begin, own = boosting._around(at, SIDE - SQUARE_PX)
    assert (begin, (own.start, own.stop)) == (first, inside)
    assert own.start <= at - begin < own.stop, "the pixel itself is used"
    windows = textured(1, 0)
    features = boosting._features_of(windows, windows.labels)
    fine, coarse, wanted = boosting._square(windows, windows.labels, 0, at, at)
    whole = features(windows.msi_10m, windows.msi_20m)[0, begin : begin + SQUARE_PX, begin : begin + SQUARE_PX]
    used = wanted > 0
    assert used.sum() == (own.stop - own.start) ** 2
    np.testing.assert_allclose(features(fine[None], coarse[None])[0][used], whole[used], atol=2e-3)
    assert RIM_PX * 2 + 2 <= SQUARE_PX


def test_a_week_of_each_block_is_scored() -> None:
    places = [Place(week, row, 0) for week in ("2018-W20", "2018-W21", "2018-W22") for row in range(40)]
    chosen = choose_weeks(places, 0)
    assert sorted((p.row, p.col) for p in chosen) == [(row, 0) for row in range(40)]
    assert {p.week for p in chosen} == {"2018-W20", "2018-W21", "2018-W22"}
    assert chosen == choose_weeks(places[::-1][::-1], 0) != choose_weeks(places, 1)
    assert choose_weeks([], 0) == frozenset()


def test_the_same_bits_whatever_the_threads() -> None:
    code = "from tests.services.trainer.test_boosting import digest; print(digest())"
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "OMP_NUM_THREADS": "3"}
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert told.stdout.strip() == digest()
