"""Deterministic noise: every value is a function of a seed and of a position, never of the window it is asked for.

Two granules in two UTM zones and an OLCI swath all look at one world; that only works if no field depends on where
an array happens to begin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float32]
HashArray = NDArray[np.uint32]

# Standard deviation of smoothstep-interpolated uniform noise: sqrt(0.743^2 / 12).
_VALUE_NOISE_STD = 0.2145


def hash32(seed: int, *coordinates: ArrayLike) -> HashArray:
    """Mix a seed and integer coordinates to 32 well spread bits (murmur3's finaliser).

    Args:
        seed: Any integer.
        *coordinates: Integer arrays that broadcast against each other.

    Returns:
        uint32 array of the broadcast shape (at least 1-D).
    """
    h = np.full(1, (seed * 0x9E3779B1 + 0x7F4A7C15) & 0xFFFFFFFF, dtype=np.uint32)
    for coordinate in coordinates:
        values = np.atleast_1d(np.asarray(coordinate)).astype(np.int64).astype(np.uint32)
        h = (h ^ values) * np.uint32(0x85EBCA6B)
        h ^= h >> np.uint32(13)
        h = h * np.uint32(0xC2B2AE35)
        h ^= h >> np.uint32(16)
    return h


def uniform(seed: int, *coordinates: ArrayLike) -> FloatArray:
    """Uniform float32 in [0, 1) from `hash32`."""
    scaled: FloatArray = (hash32(seed, *coordinates) >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
    return scaled


def value_noise(
    seed: int, x_m: FloatArray | NDArray[np.float64], y_m: FloatArray | NDArray[np.float64], scale_m: float
) -> FloatArray:
    """Smooth noise on the outer product of two axes, zero mean, unit variance.

    Args:
        seed: Which noise.
        x_m: (x,) positions, metres.
        y_m: (y,) positions, metres.
        scale_m: Distance between the random nodes.

    Returns:
        float32 (y, x).
    """
    x_cell, x_weight = _cells(x_m, scale_m)
    y_cell, y_weight = _cells(y_m, scale_m)
    x0, y0 = int(x_cell.min()), int(y_cell.min())
    columns = np.arange(x0, int(x_cell.max()) + 2)
    rows = np.arange(y0, int(y_cell.max()) + 2)
    nodes = uniform(seed, rows[:, None], columns[None, :])
    # Separable: along y first, where the array is still narrow.
    low = nodes[y_cell - y0]
    along_y = low + (nodes[y_cell - y0 + 1] - low) * y_weight[:, None]
    left = along_y[:, x_cell - x0]
    noise: FloatArray = left + (along_y[:, x_cell - x0 + 1] - left) * x_weight[None, :]
    noise -= np.float32(0.5)
    noise /= np.float32(_VALUE_NOISE_STD)
    return noise


def fractal_noise(
    seed: int,
    x_m: FloatArray | NDArray[np.float64],
    y_m: FloatArray | NDArray[np.float64],
    scale_m: float,
    octaves: int,
    gain: float = 0.5,
) -> FloatArray:
    """Sum of octaves of `value_noise`, each half the scale and `gain` times the weight; unit variance, (y, x)."""
    total = np.zeros((len(y_m), len(x_m)), dtype=np.float32)
    for octave in range(octaves):
        total += np.float32(gain**octave) * value_noise(seed + 7919 * octave, x_m, y_m, scale_m / 2**octave)
    total /= np.float32(np.sqrt(sum(gain ** (2 * octave) for octave in range(octaves))))
    return total


def _cells(position_m: FloatArray | NDArray[np.float64], scale_m: float) -> tuple[NDArray[np.int64], FloatArray]:
    scaled = np.asarray(position_m, dtype=np.float64) / scale_m
    cell = np.floor(scaled)
    t = scaled - cell
    return cell.astype(np.int64), (t * t * (3 - 2 * t)).astype(np.float32)
