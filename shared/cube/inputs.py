"""Read what a model wants of the cube: windows by the names of its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


class LabelCube(InputCube, Protocol):
    """A cube that tells its labels, too; see `shared.cube.Cube`."""

    def labels(self, y: int, x: int, ny: int, nx: int) -> Array:
        """uint8 (ny, nx), zero outside the grid."""


@dataclass(frozen=True)
class Excerpt:
    """A part of a week of a cube in memory: neighbouring windows share chunks, and each is decoded once.

    Attributes:
        grid: the area's grid.
        layers: name -> where it lies in pixels of its own resolution, and its values (y, x, ...).
    """

    grid: Grid
    layers: Mapping[str, tuple[Window, Array]]

    def msi(self, week: str, y: int, x: int, ny: int, nx: int) -> tuple[Array, Array]:
        """Return what `InputCube.msi` does; `week` is the excerpt's."""
        half = Window(y // 2, x // 2, ny // 2, nx // 2)
        return self._cut("msi_10m", Window(y, x, ny, nx)), self._cut("msi_20m", half)

    def msi_60m(self, week: str, window: Window, bands: int) -> Array:
        """Return what `InputCube.msi_60m` does; `week` and `bands` are the excerpt's."""
        return self._cut("msi_60m", window)

    def olci(self, week: str, window: Window) -> Array:
        """Return what `InputCube.olci` does; `week` is the excerpt's."""
        return self._cut("olci_300m", window)

    def labels(self, y: int, x: int, ny: int, nx: int) -> Array:
        """Return what `LabelCube.labels` does."""
        return self._cut("labels", Window(y, x, ny, nx))

    def _cut(self, name: str, window: Window) -> Array:
        whole, values = self.layers[name]
        top, left = window.y - whole.y, window.x - whole.x
        return values[top : top + window.ny, left : left + window.nx]


def read_excerpt(
    cube: LabelCube, inputs: ModelInputs, week: str, whole: Window, side: int, labelled: bool = True
) -> Excerpt:
    """Read what all windows within a larger one need, each layer at once.

    Args:
        cube: where it is read.
        inputs: what a model wants of each window.
        week: of the windows.
        whole: holds them, in 10 m px of the area's grid, all even; may lie outside.
        side: rows and columns of each window.
        labelled: whether labels are read, too.
    """
    y, x, ny, nx = whole.y, whole.x, whole.ny, whole.nx
    fine, coarse = cube.msi(week, y, x, ny, nx)
    layers = {"msi_10m": (whole, fine), "msi_20m": (Window(y // 2, x // 2, ny // 2, nx // 2), coarse)}
    if "msi_60m" in inputs.bands:
        (top, rows), (left, cols) = _span_60m(y, ny), _span_60m(x, nx)
        window = Window(top, left, rows, cols)
        layers["msi_60m"] = window, cube.msi_60m(week, window, len(inputs.bands["msi_60m"]))
    if "olci_300m" in inputs.bands:
        (top, rows), (left, cols) = _span_300m(y, ny, side), _span_300m(x, nx, side)
        window = Window(top, left, rows, cols)
        layers["olci_300m"] = window, cube.olci(week, window)
    if labelled:
        layers["labels"] = whole, cube.labels(y, x, ny, nx)
    return Excerpt(cube.grid, layers)


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
    (top, ny), (left, nx) = _span_60m(y, side), _span_60m(x, side)
    values = cube.msi_60m(week, Window(top, left, ny, nx), bands)
    rows, cols = ((np.arange(at // 2, (at + side) // 2)) // 3 - first for at, first in ((y, top), (x, left)))
    found: Array = values[np.ix_(rows, cols)]
    return found


def _span_60m(at: int, count: int) -> tuple[int, int]:
    """Return the first of the 60 m pixels that some 10 m pixels lie in, along one axis, and how many there are."""
    first, last = at // 2 // 3, ((at + count) // 2 - 1) // 3
    return first, last - first + 1


def _span_300m(at: int, count: int, side: int) -> tuple[int, int]:
    """Return the first of the 300 m pixels that windows within a larger one want, along one axis, and how many."""
    first, last = olci_start(at, side), olci_start(at + count - side, side)
    return first, last - first + OLCI_PX
