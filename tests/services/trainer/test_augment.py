"""Patches: where they are cut, and how they are turned, mirrored, moved and given noise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from services.trainer.augment import Batch, Patches
from services.trainer.draw import Draw
from services.trainer.ground import Ground
from services.trainer.places import Place
from services.trainer.windows import Past, Windows
from shared.area.training import TrainingSettings
from shared.items.model_inputs import ModelInputs, inputs_of_area
from shared.items.weeks import day_of_year
from tests.catalogues import AREA

SIDE = 64


def windows() -> Windows:
    """One window in which every pixel says where it lies: band 0 the row, band 1 the column, in 10 m px, from 100."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] + 100
    fine = np.stack([y, x, y, x], axis=-1)[None].astype(np.uint16)
    coarse = np.repeat(fine[:, ::2, ::2, :1], 6, axis=-1)
    coarse[..., 1] = fine[:, ::2, ::2, 1]
    return Windows((Place("2018-W20", 0, 0),), fine, coarse, np.zeros((1, SIDE, SIDE), np.uint8), 0)


def deviations(of_each: float) -> dict[str, np.ndarray]:
    return {name: np.full(len(bands), of_each) for name, bands in ModelInputs().bands.items()}


def batch(near: bool = False, deviation: float = 50.0, **fields: Any) -> Batch:
    made = windows()
    # The target tells the place, too: of 8 x 8 px, as a byte has no room for more.
    target = ((made.msi_10m[..., 0] - 100) // 8 * 8 + (made.msi_10m[..., 1] - 100) // 8 + 1).astype(np.uint8)
    settings = TrainingSettings(**{"patch_px": 32, "batch": 40, **fields})
    rng = np.random.default_rng(5)
    ground = Ground(target, near=target % 2 == 0 if near else None)
    return Patches(made, ModelInputs(), ground, Draw(target, rng), rng, settings, deviations(deviation))()


def places(target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.divmod(target.astype(int) - 1, 8)


def test_bands_labels_and_edges_are_cut_and_turned_together() -> None:
    (fine, coarse), target, near = batch(near=True)
    row, col = places(target)
    np.testing.assert_array_equal((fine[..., 0] - 100) // 8, row)
    np.testing.assert_array_equal((fine[..., 1] - 100) // 8, col)
    np.testing.assert_array_equal((coarse[..., 1] - 100) // 8, col[:, ::2, ::2])
    np.testing.assert_array_equal(near, target % 2 == 0)
    assert fine.dtype == coarse.dtype == np.uint16


def orientations(fine: np.ndarray) -> set[tuple[int, int, int, int]]:
    """How row and column grow down and to the right, of each patch."""
    rows, cols = fine[..., 0].astype(int), fine[..., 1].astype(int)
    found = set()
    for r, c in zip(rows, cols, strict=True):
        found.add(tuple(int(v) for v in (r[1, 0] - r[0, 0], r[0, 1] - r[0, 0], c[1, 0] - c[0, 0], c[0, 1] - c[0, 0])))
    return found  # type: ignore[return-value]


def test_flips_and_rotations_are_switches() -> None:
    assert len(orientations(batch().inputs[0])) == 8
    assert len(orientations(batch(flips=False).inputs[0])) == 4
    assert orientations(batch(rotations=False).inputs[0]) == {(1, 0, 0, 1), (1, 0, 0, -1)}
    assert orientations(batch(flips=False, rotations=False).inputs[0]) == {(1, 0, 0, 1)}


def test_shifts_move_bands_against_labels_by_even_steps() -> None:
    (fine, coarse), target, _ = batch(flips=False, rotations=False, shift_px=4)
    np.testing.assert_array_equal(fine[:, ::2, ::2, 1], coarse[..., 1])
    row, _ = places(target)
    top_of_labels = np.array([8 * r[0, 0] + 8 - int((r[:, 0] == r[0, 0]).sum()) for r in row])
    moved = fine[:, 0, 0, 0].astype(int) - 100 - top_of_labels
    assert set(moved) == {-4, -2, 0, 2, 4}
    (still, _), target, _ = batch(flips=False, rotations=False)
    np.testing.assert_array_equal((still[..., 0] - 100) // 8, places(target)[0])


def test_noise_is_a_share_of_each_bands_deviation_and_hides_nothing() -> None:
    (plain, _), _, _ = batch(flips=False, rotations=False)
    (noisy, coarse), _, _ = batch(flips=False, rotations=False, noise_share=0.2)
    difference = noisy.astype(float) - plain
    assert abs(difference.mean()) < 0.5
    assert abs(difference.std() - 10) < 0.5
    assert coarse.dtype == np.uint16


def test_what_is_not_observed_stays_so_and_nothing_else_becomes_it() -> None:
    (fine, _), _, _ = batch(noise_share=1, deviation=1000.0)
    assert fine.min() == 1
    made = windows()
    made.msi_10m[:, :, :40] = 0
    target = np.ones((1, SIDE, SIDE), np.uint8)
    rng = np.random.default_rng(0)
    settings = TrainingSettings(patch_px=32, batch=20, noise_share=0.1, flips=False, rotations=False)
    inputs, _, _ = Patches(made, ModelInputs(), Ground(target), Draw(target, rng), rng, settings, deviations(50.0))()
    hidden = inputs[0] == 0
    assert hidden.any()
    assert not hidden.all()
    np.testing.assert_array_equal(hidden[..., 0], hidden[..., 1])


def test_the_same_seed_gives_the_same_patches() -> None:
    first, second = batch(shift_px=2, noise_share=0.1), batch(shift_px=2, noise_share=0.1)
    for one, other in zip((*first.inputs, first.target), (*second.inputs, second.target), strict=True):
        np.testing.assert_array_equal(one, other)


STACK = inputs_of_area(AREA, TrainingSettings(inputs=("msi_10m", "msi_20m", "olci_300m", "week"), history_weeks=2))


def stack(dropout: float) -> Patches:
    """Of a window with two earlier weeks, whose pixels say where they lie and, in band 2, when: 1000, 2000, 3000."""
    made = windows()
    weeks = [
        replace(made, msi_10m=made.msi_10m.copy(), places=(Place(f"2018-W{n}", 0, 0),), more={}) for n in (18, 19, 20)
    ]
    for number, week in enumerate(weeks):
        week.msi_10m[..., 2] = 1000 * (number + 1)
        week.more["olci_300m"] = np.full((1, 9, 9, 21), 10.0 * (number + 1), np.float32)
    others = replace(
        weeks[0],
        places=(*weeks[0].places, *weeks[1].places),
        msi_10m=np.concatenate([w.msi_10m for w in weeks[:2]]),
        msi_20m=np.concatenate([w.msi_20m for w in weeks[:2]]),
        more={"olci_300m": np.concatenate([w.more["olci_300m"] for w in weeks[:2]])},
    )
    sample = replace(weeks[2], past=Past(np.array([[1, 2]], np.int32), others))
    target, rng = np.ones((1, SIDE, SIDE), np.uint8), np.random.default_rng(0)
    settings = TrainingSettings(patch_px=32, batch=60, history_weeks=2, week_dropout=dropout)
    return Patches(sample, STACK, Ground(target), Draw(target, rng), rng, settings, {})


def test_weeks_are_cut_and_turned_together_oldest_first() -> None:
    (fine, coarse, olci, day), target, _ = stack(0.0)()
    assert fine.shape == (60, 3, 32, 32, 4)
    assert coarse.shape == (60, 3, 16, 16, 6)
    assert (fine[..., 2] == np.array([1000, 2000, 3000])[:, None, None]).all()
    assert (fine[:, :1, ..., :2] == fine[..., :2]).all()
    assert (olci[:, :, 0, 0, 0] == [10, 20, 30]).all()
    assert (day == [day_of_year(week) for week in ("2018-W18", "2018-W19", "2018-W20")]).all()
    assert target.all()


def test_weeks_are_left_out_by_chance_but_never_all() -> None:
    (fine, coarse, olci, _), target, _ = stack(1.0)()
    kept = fine.any(axis=(2, 3, 4))
    assert set(kept.sum(axis=1).tolist()) == {1, 2, 3}
    assert (kept.sum(axis=0) > 15).all(), "each as likely as another"
    assert (coarse.any(axis=(2, 3, 4)) == kept).all()
    assert (np.isfinite(olci).all(axis=(2, 3, 4)) == kept).all()
    assert target.all(), "what another week saw can be learned of"
