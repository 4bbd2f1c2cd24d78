"""Windows as models read them."""

from __future__ import annotations

import numpy as np
import pytest

from shared.area.training import TrainingSettings
from shared.cube.inputs import olci_start, read_inputs
from shared.items.model_inputs import OLCI_PX, inputs_of_area
from shared.items.weeks import day_of_year
from tests.catalogues import AREA
from tests.services.trainer.fake_cube import FakeCube

CUBE = FakeCube(AREA)
ALL = ("msi_10m", "msi_20m", "msi_60m", "olci_300m", "week")


def test_each_input_has_its_shape() -> None:
    found = read_inputs(CUBE, inputs_of_area(AREA, TrainingSettings(inputs=ALL)), "2018-W20", 256, 512, 256)
    assert {name: (values.shape, values.dtype.name) for name, values in found.items()} == {
        "msi_10m": ((256, 256, 4), "uint16"), "msi_20m": ((128, 128, 6), "uint16"),
        "msi_60m": ((128, 128, 2 if AREA.level == "l2a" else 3), "uint16"),
        "olci_300m": ((9, 9, 21), "float32"), "week": ((), "uint16"),
    }  # fmt: skip
    assert found["week"] == day_of_year("2018-W20")


@pytest.mark.parametrize("y", [-32, 0, 2, 4, 6, 96, 200])
def test_a_60_m_pixel_is_repeated_onto_the_20_m_cells_that_it_covers(y: int) -> None:
    inputs = inputs_of_area(AREA, TrainingSettings(inputs=("msi_10m", "msi_60m")))
    values = read_inputs(CUBE, inputs, "2018-W20", y, y + 2, 64)["msi_60m"]
    rows = (10 * (y + 2 * np.arange(32))) // 60  # the 60 m pixel of each 20 m cell, by its place in metres
    assert (values[:, 0, 0].astype(int) - 1000 == rows).all()
    columns = (10 * (y + 2 + 2 * np.arange(32))) // 60
    assert (values[0, :, 1].astype(int) - 1000 == columns).all()


@pytest.mark.parametrize("at", [-64, 0, 128, 301, 512])
def test_the_landscape_lies_around_the_middle_of_the_window(at: int) -> None:
    first = olci_start(at, 256)
    middle_m = 10 * (at + 128)
    assert 300 * (first + OLCI_PX // 2) <= middle_m < 300 * (first + OLCI_PX // 2 + 1)
    assert abs(300 * first - 10 * at) < 300
    assert abs(300 * (first + OLCI_PX) - 10 * (at + 256)) < 300


def test_a_history_is_read_oldest_first_and_never_a_later_week() -> None:
    inputs = inputs_of_area(AREA, TrainingSettings(inputs=("msi_10m", "olci_300m", "week"), history_weeks=2))
    found = read_inputs(CUBE, inputs, "2018-W22", 512, 512, 64)
    fine = found["msi_10m"]
    assert fine.shape == (3, 64, 64, 4)
    np.testing.assert_array_equal(fine[0], CUBE.msi("2018-W20", 512, 512, 64, 64)[0])
    assert not fine[1].any(), "2018-W21 holds nothing"
    np.testing.assert_array_equal(fine[2], CUBE.msi("2018-W22", 512, 512, 64, 64)[0])
    assert np.isnan(found["olci_300m"][1]).all()
    assert found["week"].tolist() == [day_of_year(w) for w in ("2018-W20", "2018-W21", "2018-W22")]
