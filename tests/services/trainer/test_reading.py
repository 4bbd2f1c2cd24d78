"""Reading windows: together, by several threads, they are what each is by itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.trainer.places import Place, list_places
from services.trainer.reading import read_windows
from shared.area import Area, load_area
from shared.items.model_inputs import ModelInputs
from shared.sensors import CUBE_BANDS
from tests.services.trainer.fake_cube import FakeCube

ALL = {
    "msi_10m": CUBE_BANDS["10m"],
    "msi_20m": CUBE_BANDS["20m"],
    "msi_60m": CUBE_BANDS["60m-l2a"],
    "olci_300m": CUBE_BANDS["300m"],
    "week": (),
}


@pytest.fixture(scope="module")
def area() -> Area:
    return load_area(Path(__file__).parents[3] / "examples" / "areas" / "small.yaml")


@pytest.mark.parametrize("inputs", [ModelInputs(), ModelInputs(ALL), ModelInputs(ALL, history_weeks=5)])
@pytest.mark.parametrize("margin", [0, 32])
def test_windows_read_together_are_those_read_one_by_one(area: Area, inputs: ModelInputs, margin: int) -> None:
    cube = FakeCube(area)
    places = list_places(np.ones((8, 8), bool), {week: cube.observed(week) for week in cube.weeks()}, 60, 0)
    together = read_windows(cube, places, inputs, margin)  # type: ignore[arg-type]
    assert together.places == tuple(places)
    values = together.stacked(inputs)
    for i, place in enumerate(places):
        alone = read_windows(cube, [place], inputs, margin)  # type: ignore[arg-type]
        np.testing.assert_array_equal(together.labels[i], alone.labels[0])
        for found, expected in zip(values, alone.stacked(inputs), strict=True):
            np.testing.assert_array_equal(found[i], expected[0])


def test_what_goes_wrong_in_a_thread_is_raised(area: Area) -> None:
    class Broken(FakeCube):
        def labels(self, y: int, x: int, ny: int, nx: int) -> np.ndarray:
            raise OSError("no answer")

    with pytest.raises(OSError, match="no answer"):
        read_windows(Broken(area), [Place("2018-W20", 0, 0)], ModelInputs())  # type: ignore[arg-type]
