"""Read what a model wants of the cube: windows by the names of its inputs."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from shared.geo import Grid
from shared.items.model_inputs import OLCI_PX, ModelInputs
from shared.items.weeks import day_of_year
from shared.raster.grid import Window

Array = NDArray[Any]


class InputCube(Protocol):
    """What inputs are read from; see `shared.cube.Cube`."""

    @property
    def grid(self) -> Grid:
        """The area's grid."""

    def msi(self, week: str, y: int, x: int, ny: int, nx: int) -> tuple[Array, Array]:
        """uint16 (ny, nx, 4) and (ny/2, nx/2, 6), zero outside the grid."""

    def msi_60m(self, week: str, window: Window, bands: int) -> Array:
        """uint16 (ny, nx, bands) of 60 m px, zero outside the grid."""

    def olci(self, week: str, window: Window) -> Array:
        """float32 (ny, nx, 21) of 300 m px, NaN outside the grid."""


def read_inputs(cube: InputCube, inputs: ModelInputs, week: str, y: int, x: int, side: int) -> dict[str, Array]:
    """Read a window as a model wants it, without the axis of the batch.

    Args:
        cube: where it is read.
        inputs: which ones, and of how many weeks.
        week: the mapped one.
        y: first row in 10 m px of the area's grid, even; may lie outside.
        x: first column, even.
        side: rows and columns, even.
    """
    if not inputs.history_weeks:
        return read_week(cube, inputs, week, y, x, side)
    each = [read_week(cube, inputs, w, y, x, side) for w in inputs.weeks_of(week)]
    return {name: np.stack([values[name] for values in each]) for name in inputs.names}


def read_week(cube: InputCube, inputs: ModelInputs, week: str, y: int, x: int, side: int) -> dict[str, Array]:
    """Read the inputs of a single week: each without the axes of batch and weeks; see `read_inputs`."""
    fine, coarse = cube.msi(week, y, x, side, side)
    found: dict[str, Array] = {"msi_10m": fine, "msi_20m": coarse}
    if "msi_60m" in inputs.bands:
        found["msi_60m"] = _on_20m(cube, week, y, x, side, len(inputs.bands["msi_60m"]))
    if "olci_300m" in inputs.bands:
        rows, cols = (olci_start(at, side) for at in (y, x))
        found["olci_300m"] = cube.olci(week, Window(rows, cols, OLCI_PX, OLCI_PX))
    if "week" in inputs.bands:
        found["week"] = np.array(day_of_year(week), np.uint16)
    return {name: found[name] for name in inputs.names}


def olci_start(at: int, side: int) -> int:
    """Return the first of the 300 m pixels around the middle of a window, along one axis; may lie outside.

    Args:
        at: first row or column of the window in 10 m px.
        side: its rows or columns.
    """
    return (at + side // 2) // 30 - OLCI_PX // 2


def _on_20m(cube: InputCube, week: str, y: int, x: int, side: int, bands: int) -> Array:
    """Read 60 m bands on the 20 m lattice: uint16 (side/2, side/2, bands)."""
    top, left, half = y // 2, x // 2, side // 2
    rows, cols = ((np.arange(first, first + half)) // 3 for first in (top, left))
    window = Window(int(rows[0]), int(cols[0]), int(rows[-1] - rows[0]) + 1, int(cols[-1] - cols[0]) + 1)
    values = cube.msi_60m(week, window, bands)
    found: Array = values[np.ix_(rows - rows[0], cols - cols[0])]
    return found
