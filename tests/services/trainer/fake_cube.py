"""A cube in memory: what the trainer and inference read of `shared.cube`, over a landscape made from a seed."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from services.rasterize.distance import edge_distance
from shared.area import Area
from shared.raster.grid import Window

Array = npt.NDArray[Any]


class FakeCube:
    """Three weeks of smooth patches of classes, each with its own spectrum; holes in the last two weeks."""

    snapshot = "FAKESNAPSHOT"
    has_polygons = True

    def __init__(
        self, area: Area, weeks: tuple[str, ...] = ("2018-W20", "2018-W22", "2018-W25"), seed: int = 7
    ) -> None:
        self.grid, self.scheme = area.grid, area.labels
        self._weeks = weeks
        rng = np.random.default_rng(seed)
        ny, nx = self.grid.shape_px(10)
        classes = len(area.labels.classes)
        # Voronoi cells: patches with straight edges, like fields.
        seeds = rng.random((60, 2)) * (ny, nx)
        kind = rng.integers(1, classes + 1, 60).astype(np.uint8)
        y, x = np.mgrid[0:ny:8, 0:nx:8].reshape(2, -1)
        nearest = ((y[:, None] - seeds[:, 0]) ** 2 + (x[:, None] - seeds[:, 1]) ** 2).argmin(axis=1)
        self.truth = kind[nearest].reshape(ny // 8, nx // 8).repeat(8, axis=0).repeat(8, axis=1)
        self.given = self.truth * (rng.random((ny // 32, nx // 32)) < 0.6).repeat(32, axis=0).repeat(32, axis=1)
        cells = nearest.reshape(ny // 8, nx // 8).repeat(8, axis=0).repeat(8, axis=1)
        self.numbers = np.where(self.given > 0, cells + 1, 0).astype(np.uint32)
        spectra = rng.integers(1500, 5000, (classes + 1, 10))
        self.msi_10m: dict[str, Array] = {}
        self.msi_20m: dict[str, Array] = {}
        for i, week in enumerate(weeks):
            fine = spectra[self.truth, :4] + rng.normal(0, 200, (ny, nx, 4))
            coarse = spectra[self.truth[::2, ::2], 4:] + rng.normal(0, 200, (ny // 2, nx // 2, 6))
            seen = np.ones((ny // 2, nx // 2), bool)
            if i:
                seen[: 100 * i, : 150 * i] = False
            self.msi_10m[week] = (fine * seen.repeat(2, axis=0).repeat(2, axis=1)[..., None]).astype(np.uint16)
            self.msi_20m[week] = (coarse * seen[..., None]).astype(np.uint16)

    def keep(self, tag: str) -> None:
        """Keeping a snapshot is nothing here."""

    def weeks(self) -> list[str]:
        """Weeks with data."""
        return list(self._weeks)

    def msi(self, week: str, y: int, x: int, ny: int, nx: int) -> tuple[Array, Array]:
        """A window of stored values."""
        if week not in self.msi_10m:
            return np.zeros((ny, nx, 4), np.uint16), np.zeros((ny // 2, nx // 2, 6), np.uint16)
        fine, coarse = self.msi_10m[week], self.msi_20m[week]
        return cut(fine, y, x, ny, nx), cut(coarse, y // 2, x // 2, ny // 2, nx // 2)

    def msi_60m(self, week: str, window: Window, bands: int) -> Array:
        """Values that tell row and column of each 60 m pixel, of weeks with data."""
        y, x = np.mgrid[window.y : window.y + window.ny, window.x : window.x + window.nx]
        values = np.stack([1000 + y, 1000 + x, y + x][:bands], axis=-1).astype(np.uint16)
        return values * np.uint16(week in self.msi_10m)

    def olci(self, week: str, window: Window) -> Array:
        """Radiances that tell row and column of each 300 m pixel, of weeks with data; NaN outside the grid."""
        ny, nx = self.grid.shape_px(300)
        y, x = np.mgrid[window.y : window.y + window.ny, window.x : window.x + window.nx]
        inside = (y >= 0) & (y < ny) & (x >= 0) & (x < nx) & (week in self.msi_10m)
        radiance = (50 + y + x / 100)[..., None] + np.arange(21)
        return np.where(inside[..., None], radiance, np.nan).astype(np.float32)

    def fine(self, week: str, window: Window) -> Array:
        """The 10 m bands of a window."""
        return cut(self.msi_10m[week], window.y, window.x, window.ny, window.nx)

    def labels(self, y: int, x: int, ny: int, nx: int) -> Array:
        """A window of labels."""
        return cut(self.given, y, x, ny, nx)

    def label_confidence(self, y: int, x: int, ny: int, nx: int) -> Array:
        """A window of the distances to the edges of the labels."""
        return cut(self._distances, y, x, ny, nx)

    @cached_property
    def _distances(self) -> Array:
        return edge_distance(self.given)

    def polygons(self, y: int, x: int, ny: int, nx: int) -> Array:
        """A window of the numbers of the cells that hold labels."""
        return cut(self.numbers, y, x, ny, nx)

    def observed(self, week: str) -> Array:
        """Tiles with data."""
        if week not in self.msi_10m:
            return np.zeros((self.grid.rows, self.grid.cols), bool)
        seen = (self.msi_10m[week] > 0).all(axis=-1)
        return seen.reshape(self.grid.rows, 256, self.grid.cols, 256).any(axis=(1, 3))

    def ledger_digest(self, sheet: tuple[int, int], week: str, sensor: str) -> str:
        """A digest as long as the real one."""
        return f"{sheet[0]:04x}{sheet[1]:04x}{int(week[:4]):04x}{int(week[6:]):04x}"


def cut(values: Array, y: int, x: int, ny: int, nx: int) -> Array:
    result = np.zeros((ny, nx, *values.shape[2:]), values.dtype)
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + ny, values.shape[0]), min(x + nx, values.shape[1])
    if top < bottom and left < right:
        result[top - y : bottom - y, left - x : right - x] = values[top:bottom, left:right]
    return result
