"""True colour of a sheet: block means of what was observed, read a row of tiles at a time."""

from __future__ import annotations

import numpy as np
import pytest

from services.inference.true_colour import read_true_colour
from shared.raster.grid import Window
from shared.raster.render import render_true_colour


class Strips:
    """A cube of 3 x 2 tiles that notes what is read of it."""

    def __init__(self) -> None:
        rng = np.random.default_rng(5)
        self.values = rng.integers(1000, 3000, (768, 512, 4)).astype(np.uint16)
        self.values[rng.random((768, 512)) < 0.3] = 0
        self.values[256:512] = 0
        self.read: list[Window] = []

    def fine(self, week: str, window: Window) -> np.ndarray:
        self.read.append(window)
        return self.values[window.slices]


@pytest.mark.parametrize("step", [1, 3, 10, 300])
@pytest.mark.parametrize("extent", [Window(0, 0, 768, 512), Window(512, 256, 256, 256)])
def test_a_pixel_is_the_mean_of_what_was_observed(extent: Window, step: int) -> None:
    cube = Strips()
    picture = read_true_colour(cube, "2018-W25", extent, np.array([[1, 1], [0, 0], [1, 1]], bool), step)
    assert all(w.ny <= 256 for w in cube.read), "a row of tiles at a time"
    assert not any(w.y == 256 for w in cube.read), "what was not observed is not read"
    inside = cube.values[extent.slices].astype(float)
    for row, col in ((0, 0), (picture.shape[0] - 1, picture.shape[1] - 1), (picture.shape[0] // 2, 0)):
        block = inside[row * step : (row + 1) * step, col * step : (col + 1) * step].reshape(-1, 4)
        seen = block[(block[:, :3] > 0).all(axis=1)]
        mean = seen.mean(axis=0) if len(seen) else np.zeros(4)
        assert (picture[row, col] == render_true_colour(mean[None, None])[0, 0]).all()
