"""One scene by ESA and by a toolbox: the cube is that of ESA's product, in either order of arrival."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shared.cube import open_cube
from tests.landstream.cubes import AREA, fill_cube
from tests.services.ingest.conftest import write_scene

WEEK = "2018-W23"
pytestmark = pytest.mark.chaos


def pixels(store: Path) -> list[np.ndarray]:
    return list(open_cube(str(store / "cube"), AREA, "read").msi(WEEK, 0, 0, *AREA.grid.shape_px(10)))


@pytest.mark.parametrize("esa_first", [True, False])
def test_the_cube_is_that_of_esa(esa_first: bool, tmp_path: Path) -> None:
    esa = write_scene(tmp_path / "esa", baseline="0509", clear=True)
    toolbox = write_scene(tmp_path / "toolbox", baseline="9933", least_dn=5000, clear=True)
    alone, both = fill_cube(tmp_path / "alone", esa), tmp_path / "both"
    for product in (esa, toolbox) if esa_first else (toolbox, esa):
        fill_cube(both, product)
    for found, expected in zip(pixels(both), pixels(alone), strict=True):
        assert expected.any()
        assert np.array_equal(found, expected)
