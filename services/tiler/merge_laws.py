"""The merge laws: which of two observations of a cell stays, whatever their order of arrival.

Both laws are commutative, associative and idempotent, because each compares complete keys: (distance or rank, source
code, value vector).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

U8: TypeAlias = NDArray[np.uint8]
U16: TypeAlias = NDArray[np.uint16]
F32: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]

MAX_DISTANCE_PX = 50


@dataclass(frozen=True)
class Cells:
    """Sentinel-2 cells of 20 m, or 60 m pixels.

    Attributes:
        layers: uint16 value arrays, each (ny * k, nx * k, band): at 20 m the 10 m bands (k = 2) then the 20 m bands
            (k = 1); at 60 m its bands alone. 0 = nodata.
        source: uint8 (ny, nx), source code; 0 = not observed clear: does not compete.
        distance: uint8 (ny, nx), 20 m px to the nearest cloud or shadow, 0..50.
    """

    layers: tuple[U16, ...]
    source: U8
    distance: U8


@dataclass(frozen=True)
class Pixels:
    """OLCI pixels of 300 m.

    Attributes:
        radiance: float32 (ny, nx, 21).
        source: uint8 (ny, nx), source code; 0 = does not compete.
        rank: uint8 (ny, nx), view zenith in half degrees + 128 if bright.
    """

    radiance: F32
    source: U8
    rank: U8


def source_code(weekday: int, platform: str, warped: bool = False, column: int = 0, row: int = 0) -> int:
    """1 + 8 (4 weekday + platform) + 4 warped + 2 column parity + row parity.

    Args:
        weekday: Monday = 0.
        platform: unit letter, `a`, `b` ...; there is room for four, so E shares the place of A.
        warped: the scene is not on the area's lattice.
        column: parity of the MGRS column letter's index.
        row: parity of the MGRS row letter's index.
    """
    return 1 + 8 * (4 * weekday + ((ord(platform) - ord("a")) % 4)) + 4 * warped + 2 * column + row


def vector(cells: Cells, where: tuple[NDArray[np.intp], ...]) -> U16:
    """Value vectors (cell, value): B02 B03 B04 B08 of the four 10 m px row by row, then the 20 m bands."""
    y, x = where
    parts = []
    for layer in cells.layers:
        k = layer.shape[0] // cells.source.shape[0]
        parts += [layer[y * k + dy, x * k + dx] for dy in range(k) for dx in range(k)]
    return np.concatenate(parts, axis=1)


def wins(candidate: Cells, stored: Cells) -> Mask:
    """Where the candidate takes a cell: bool (ny, nx).

    The larger distance wins, then the smaller source code, then the lexicographically smaller value vector.
    """
    competes, empty = candidate.source > 0, stored.source == 0
    nearer = candidate.distance < stored.distance
    farther = candidate.distance > stored.distance
    level = ~nearer & ~farther
    won: Mask = competes & (empty | farther | (level & (candidate.source < stored.source)))
    tied = np.nonzero(competes & ~empty & level & (candidate.source == stored.source))
    if tied[0].size:
        won[tied] = _lexicographically_less(vector(candidate, tied), vector(stored, tied))
    return won


def merge(candidate: Cells, stored: Cells) -> Cells:
    """Take the winner of each cell."""
    return take(wins(candidate, stored), candidate, stored)


def take(won: Mask, candidate: Cells, stored: Cells) -> Cells:
    """Take the candidate's cells where it won, bool (ny, nx), and those that are stored elsewhere."""
    layers = []
    for new, old in zip(candidate.layers, stored.layers, strict=True):
        k = new.shape[0] // won.shape[0]
        # All bands of a pixel at once: several times as fast as value by value.
        pixel = f"V{new.itemsize * new.shape[2]}"
        taken = np.where(won.repeat(k, 0).repeat(k, 1)[..., None], new.view(pixel), old.view(pixel))
        layers.append(taken.view(new.dtype))
    return Cells(
        tuple(layers),
        np.where(won, candidate.source, stored.source),
        np.where(won, candidate.distance, stored.distance),
    )


def observed(layer: U16) -> Mask:
    """Where all bands of a layer (ny, nx, band) hold a value."""
    # Band by band: several times as fast as over the last axis.
    return reduce(np.logical_and, (layer[..., band] != 0 for band in range(layer.shape[2])))


def wins_olci(candidate: Pixels, stored: Pixels) -> Mask:
    """Where the candidate takes a pixel: the smaller rank wins, then source code, then value vector Oa01..Oa21."""
    competes, empty = candidate.source > 0, stored.source == 0
    level = candidate.rank == stored.rank
    won: Mask = competes & (empty | (candidate.rank < stored.rank) | (level & (candidate.source < stored.source)))
    tied = competes & ~empty & level & (candidate.source == stored.source)
    if tied.any():
        won[tied] = _lexicographically_less(candidate.radiance[tied], stored.radiance[tied])
    return won


def merge_olci(candidate: Pixels, stored: Pixels) -> Pixels:
    """Take the winner of each pixel."""
    won = wins_olci(candidate, stored)
    return Pixels(
        np.where(won[..., None], candidate.radiance, stored.radiance),
        np.where(won, candidate.source, stored.source),
        np.where(won, candidate.rank, stored.rank),
    )


def _lexicographically_less(a: NDArray[np.generic], b: NDArray[np.generic]) -> Mask:
    """Row-wise a < b of two arrays (row, value)."""
    different = a != b
    first = different.argmax(axis=1)
    rows = np.arange(len(a))
    less: Mask = different[rows, first] & np.less(a[rows, first], b[rows, first])
    return less


def nine_cells(competes: Mask, distance: U8) -> tuple[Mask, U8]:
    """60 m pixels from their nine 20 m cells: competing if all do, with the smallest distance.

    Args:
        competes: bool (3 ny, 3 nx).
        distance: uint8 (3 ny, 3 nx).
    """
    ny, nx = competes.shape[0] // 3, competes.shape[1] // 3
    all_ = np.asarray(competes.reshape(ny, 3, nx, 3).all(axis=(1, 3)))
    smallest = np.asarray(distance.reshape(ny, 3, nx, 3).min(axis=(1, 3)))
    return all_, smallest
