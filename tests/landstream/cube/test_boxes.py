"""Boxes in degrees, of whatever size, as pixels of a grid."""

from __future__ import annotations

import pytest

from landstream.cube.layers import NAMES, layer_of
from landstream.cube.raster import Elsewhere, window_of_box
from shared.raster.grid import Window
from tests.catalogues import AREA

Box = tuple[float, float, float, float]


@pytest.mark.parametrize("layer", NAMES)
@pytest.mark.parametrize("bounds", [(-180, -90, 180, 90), (-60, -80, 100, 85), (10, 40, 50, 50)])
def test_a_box_that_is_larger_than_its_projection(bounds: Box, layer: str) -> None:
    chosen = layer_of(AREA, layer)
    assert window_of_box(AREA, chosen, bounds) == Window(0, 0, *chosen.lattice(AREA).shape)


@pytest.mark.parametrize(
    "bounds",
    [
        (float("nan"), 45, 24, 46),
        (float("inf"), 45, 24, 46),
        (-200, 0, 10, 95),
        (24.1, 46, 23.9, 45.9),
        (24.0, 45.9, 24.0, 45.9),
    ],
)
def test_what_is_no_box(bounds: Box) -> None:
    with pytest.raises(Elsewhere, match="is not a box of west,south,east,north in degrees"):
        window_of_box(AREA, layer_of(AREA, "10m"), bounds)


@pytest.mark.parametrize("bounds", [(0, 0, 1, 1), (-150, -60, -140, -50)])
def test_a_box_elsewhere(bounds: Box) -> None:
    with pytest.raises(Elsewhere, match="lies outside the grid of small"):
        window_of_box(AREA, layer_of(AREA, "10m"), bounds)
