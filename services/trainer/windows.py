"""Windows around blocks: the samples that networks are trained and tested on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from services.trainer.split import BLOCK_PX, trainable
from shared.geo import TILE_10M_PX, Grid

MARGIN_PX = 32
"""Surroundings of a block that a network sees; the same as between the middles of two windows of a map."""

Array = npt.NDArray[Any]


class TrainingCube(Protocol):
    """What training reads of a cube; see `shared.cube.Cube`."""

    @property
    def grid(self) -> Grid:
        """The area's grid."""

    def weeks(self) -> list[str]:
        """Weeks that hold Sentinel-2 data, ascending."""

    def msi(self, week: str, y: int, x: int, ny: int, nx: int) -> tuple[Array, Array]:
        """uint16 (ny, nx, 4) and (ny/2, nx/2, 6), zero outside the grid."""

    def labels(self, y: int, x: int, ny: int, nx: int) -> Array:
        """uint8 (ny, nx), zero outside the grid."""

    def label_confidence(self, y: int, x: int, ny: int, nx: int) -> Array:
        """uint8 (ny, nx): 10 m px to the nearest pixel of another class, capped at 255; zero where `labels` is."""

    def polygons(self, y: int, x: int, ny: int, nx: int) -> Array:
        """uint32 (ny, nx): number of the polygon that a pixel was labelled by; zero where `labels` is."""

    @property
    def has_polygons(self) -> bool:
        """Whether polygons and confidence are known; where not, both are zero everywhere."""

    def observed(self, week: str) -> Array:
        """Tiles with data: bool (tile row, tile col)."""


@dataclass(frozen=True)
class Place:
    """A block in a week."""

    week: str
    row: int
    col: int


@dataclass(frozen=True)
class Windows:
    """Blocks with their margin.

    Attributes:
        places: n places.
        msi_10m: uint16 (n, y, x, 4), stored values.
        msi_20m: uint16 (n, y/2, x/2, 6).
        labels: uint8 (n, y, x): 0 = unlabelled or not observed.
        margin: width of the margin in 10 m px.
    """

    places: tuple[Place, ...]
    msi_10m: Array
    msi_20m: Array
    labels: Array
    margin: int

    def targets(self, tested: Array, buffer_px: int) -> Array:
        """Labels that may carry loss for a network that is tested on some blocks.

        Args:
            tested: bool (block row, block col).
            buffer_px: pixels this near to a tested block carry none.

        Returns:
            uint8 (n, y, x): 0 = no loss. Windows in a tested block carry none at all.
        """
        result = np.zeros_like(self.labels)
        side = self.labels.shape[1]
        for i, place in enumerate(self.places):
            if not tested[place.row, place.col]:
                top, left = place.row * BLOCK_PX - self.margin, place.col * BLOCK_PX - self.margin
                result[i] = self.labels[i] * trainable(tested, top, left, side, side, buffer_px)
        return result

    def of(self, places: Collection[Place]) -> Windows:
        """Return those that are among some places, in the same order."""
        return self.at([i for i, place in enumerate(self.places) if place in places])

    def at(self, chosen: Sequence[int]) -> Windows:
        """Return those of some indices."""
        chosen = list(chosen)
        return Windows(
            tuple(self.places[i] for i in chosen),
            self.msi_10m[chosen],
            self.msi_20m[chosen],
            self.labels[chosen],
            self.margin,
        )

    def padded(self, size: int) -> tuple[Array, Array]:
        """Return msi_10m and msi_20m of `size` windows, zeros after those there are: a result depends on the size."""
        padding = [(0, size - len(self.places)), (0, 0), (0, 0), (0, 0)]
        return np.pad(self.msi_10m, padding), np.pad(self.msi_20m, padding)

    def inner(self, values: Array) -> Array:
        """Return the blocks themselves, of an array (n, y, x, ...)."""
        return values[:, self.margin : self.margin + BLOCK_PX, self.margin : self.margin + BLOCK_PX]


def list_places(blocks: Array, observed: dict[str, Array], most: int, seed: int) -> list[Place]:
    """Blocks and weeks with data, ascending by week, row, column; a seeded draw of them where there are too many.

    Args:
        blocks: bool (block row, block col).
        observed: week -> bool (tile row, tile col).
        most: how many to keep: bounds memory and time on large areas.
        seed: of the draw.
    """
    weeks = sorted(observed)
    found = [np.argwhere(_seen(blocks, observed[week])) for week in weeks]
    which = np.repeat(np.arange(len(weeks)), [len(f) for f in found])
    corners = np.concatenate([np.empty((0, 2), int), *found])
    chosen = np.arange(len(which))
    if len(chosen) > most:
        chosen = np.sort(np.random.default_rng(seed).choice(len(chosen), most, replace=False))
    return [Place(weeks[which[i]], int(corners[i, 0]), int(corners[i, 1])) for i in chosen]


def count_places(blocks: Array, observed: dict[str, Array]) -> int:
    """How many places `list_places` would list without a limit."""
    return sum(int(np.count_nonzero(_seen(blocks, tiles))) for tiles in observed.values())


def _seen(blocks: Array, tiles: Array) -> Array:
    """Those blocks whose tile was observed: bool (block row, block col)."""
    per_tile = TILE_10M_PX // BLOCK_PX
    seen: Array = blocks & np.repeat(np.repeat(tiles, per_tile, axis=0), per_tile, axis=1)
    return seen


def read_windows(cube: TrainingCube, places: list[Place], margin: int = MARGIN_PX) -> Windows:
    """Read the windows of some places."""
    side = BLOCK_PX + 2 * margin
    fine = np.zeros((len(places), side, side, 4), np.uint16)
    coarse = np.zeros((len(places), side // 2, side // 2, 6), np.uint16)
    labels = np.zeros((len(places), side, side), np.uint8)
    for i, place in enumerate(places):
        top, left = place.row * BLOCK_PX - margin, place.col * BLOCK_PX - margin
        fine[i], coarse[i] = cube.msi(place.week, top, left, side, side)
        labels[i] = cube.labels(top, left, side, side) * (fine[i] > 0).all(axis=-1)
    return Windows(tuple(places), fine, coarse, labels, margin)


def read_in_batches(cube: TrainingCube, places: list[Place], size: int, margin: int = MARGIN_PX) -> Iterator[Windows]:
    """Read windows a few at a time."""
    for start in range(0, len(places), size):
        yield read_windows(cube, places[start : start + size], margin)


def sample_pixels(targets: Array, most: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """(window, y, x) of the pixels above 0, ascending; a draw of `most` where there are more."""
    pixels = np.flatnonzero(targets)
    if len(pixels) > most:
        pixels = pixels[np.sort(rng.choice(len(pixels), most, replace=False))]
    window, y, x = np.unravel_index(pixels, targets.shape)
    return window, y, x


def spectra(windows: Windows, chosen: tuple[Array, Array, Array]) -> Array:
    """Return the stored values of single pixels.

    Args:
        windows: n windows.
        chosen: (window, y, x) indices of m pixels.

    Returns:
        uint16 (m, 10): B02 B03 B04 B08, then the 20 m bands of the cell.
    """
    i, y, x = chosen
    return np.concatenate([windows.msi_10m[i, y, x], windows.msi_20m[i, y // 2, x // 2]], axis=1)
