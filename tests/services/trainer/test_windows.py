"""Windows around blocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.trainer.places import Place
from services.trainer.reading import read_windows
from services.trainer.split import BLOCK_PX
from services.trainer.windows import sample_pixels, spectra
from shared.area import Area, load_area
from shared.area.training import WINDOW_PX
from shared.items.model_inputs import ModelInputs
from tests.services.trainer.fake_cube import FakeCube


@pytest.fixture(scope="module")
def area() -> Area:
    return load_area(Path(__file__).parents[3] / "examples" / "areas" / "small.yaml")


@pytest.fixture(scope="module")
def cube(area: Area) -> FakeCube:
    return FakeCube(area)


def test_unobserved_pixels_carry_no_label(cube: FakeCube) -> None:
    week = cube.weeks()[-1]
    windows = read_windows(cube, [Place(week, 0, 0), Place(week, 3, 3)], ModelInputs())
    seen = (windows.msi_10m > 0).all(axis=-1)
    assert not windows.labels[~seen].any()
    assert windows.labels[seen].any()
    inner = windows.inner(windows.labels)[1]
    block = slice(3 * BLOCK_PX, 4 * BLOCK_PX)
    assert (inner == cube.given[block, block] * seen[1, 32:160, 32:160]).all()


def test_tested_blocks_carry_no_loss(cube: FakeCube) -> None:
    tested = np.zeros((8, 8), bool)
    tested[3, 3] = True
    windows = read_windows(cube, [Place("2018-W20", 3, 3), Place("2018-W20", 3, 4)], ModelInputs())
    targets = windows.targets(tested, 3)
    assert not targets[0].any()
    assert not targets[1][29:163, :35].any(), "the margin reaches into the tested block, and the buffer 3 px further"
    assert targets[1][29:163, 35:].any()


def test_the_largest_patch_is_a_whole_window(cube: FakeCube) -> None:
    assert read_windows(cube, [Place("2018-W20", 1, 1)], ModelInputs()).labels.shape == (1, WINDOW_PX, WINDOW_PX)


def test_spectra_join_the_20_m_cell(cube: FakeCube) -> None:
    windows = read_windows(cube, [Place("2018-W20", 1, 1)], ModelInputs())
    chosen = sample_pixels(windows.labels, 50, np.random.default_rng(0))
    values = spectra(windows, chosen)
    assert values.shape == (50, 10)
    window, y, x = (int(v[7]) for v in chosen)
    top = BLOCK_PX - 32
    assert values[7, :4].tolist() == cube.msi_10m["2018-W20"][top + y, top + x].tolist()
    assert values[7, 4:].tolist() == cube.msi_20m["2018-W20"][(top + y) // 2, (top + x) // 2].tolist()
    assert window == 0


STACKED = ModelInputs(history_weeks=5)


def test_a_window_knows_the_weeks_before(cube: FakeCube) -> None:
    places = [Place("2018-W22", 3, 3), Place("2018-W25", 3, 3), Place("2018-W25", 1, 1)]
    windows = read_windows(cube, places, STACKED)
    assert windows.past is not None
    assert [(p.week, p.row) for p in windows.past.others.places] == [("2018-W20", 1), ("2018-W20", 3), ("2018-W22", 1)]
    fine, coarse = windows.stacked(STACKED)
    assert fine.shape == (3, 6, WINDOW_PX, WINDOW_PX, 4)
    for i, place in enumerate(places):
        for week, of in enumerate(STACKED.weeks_of(place.week)):
            top, left = place.row * BLOCK_PX - 32, place.col * BLOCK_PX - 32
            expected = cube.msi(of, top, left, WINDOW_PX, WINDOW_PX)
            np.testing.assert_array_equal(fine[i, week], expected[0])
            np.testing.assert_array_equal(coarse[i, week], expected[1])
    for chosen in ([1], [2, 0], [0, 1, 2]):
        np.testing.assert_array_equal(windows.at(chosen).stacked(STACKED)[0], fine[chosen])
    shorter = windows.stacked(ModelInputs(history_weeks=3))[0]
    np.testing.assert_array_equal(shorter, fine[:, 2:])
    assert windows.stacked(ModelInputs())[0] is windows.msi_10m


def test_labels_are_those_that_were_observed_in_their_own_week(cube: FakeCube) -> None:
    places = [Place("2018-W25", 1, 1)]
    alone, stacked = read_windows(cube, places, ModelInputs()), read_windows(cube, places, STACKED)
    np.testing.assert_array_equal(alone.labels, stacked.labels)
