"""The detection of clouds where no classification is delivered (L1C): s2cloudless on reflectance at 60 m."""

from __future__ import annotations

import importlib.metadata
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.sensors import MASK_CLEAR, MASK_CLOUD, MASK_NODATA

BANDS: Final = ("B01", "B02", "B04", "B05", "B08", "B8A", "B09", "B10", "B11", "B12")
"""In the order of the detector's columns."""

AVERAGE_PX: Final = 2
"""Radius of the disk over which probabilities are averaged: 120 m, of the order that its authors recommend."""


def block_mean(values: NDArray[np.float32], factor: int, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Mean of the finite values of each block of `factor` x `factor` pixels.

    Args:
        values: (y, x), NaN = nodata; a last block may be cut short.
        factor: pixels along a block's side.
        shape: (y, x) of the result; blocks beyond the values are NaN.

    Returns:
        float32 (y, x), NaN where a block has no finite value.
    """
    padded = np.full((shape[0] * factor, shape[1] * factor), np.nan, np.float32)
    part = values[: padded.shape[0], : padded.shape[1]]
    padded[: part.shape[0], : part.shape[1]] = part
    blocks = padded.reshape(shape[0], factor, shape[1], factor)
    finite = np.isfinite(blocks)
    count = finite.sum(axis=(1, 3))
    total = np.where(finite, blocks, 0).sum(axis=(1, 3), dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def cloud_probability(reflectance: NDArray[np.float32], strip_px: int = 256) -> NDArray[np.float32]:
    """Probability of cloud for each 60 m pixel, averaged over a small disk.

    Args:
        reflectance: (y, x, band) in the order of `BANDS`, top of atmosphere, unitless; NaN = nodata.
        strip_px: rows that the classifier sees at once; does not change the result.

    Returns:
        float32 (y, x), 0..1; NaN where a band has no value.
    """
    import cv2
    from s2cloudless.cloud_detector import S2PixelCloudDetector

    detector = S2PixelCloudDetector(average_over=None, dilation_size=None)
    known: NDArray[np.bool_] = np.asarray(np.isfinite(reflectance).all(axis=2))
    probability = np.zeros(known.shape, np.float32)
    for top in range(0, len(known), strip_px):
        rows = slice(top, top + strip_px)
        # One thread: the sum of trees must not depend on how pixels were shared among threads.
        strip = np.nan_to_num(reflectance[rows])[np.newaxis]
        probability[rows] = detector.get_cloud_probability_maps(strip, num_threads=1)[0]
    probability[~known] = 0
    disk = _disk(AVERAGE_PX)
    weight = cv2.filter2D(known.astype(np.float32), -1, disk, borderType=cv2.BORDER_CONSTANT)
    total = cv2.filter2D(probability, -1, disk, borderType=cv2.BORDER_CONSTANT)
    return np.where(known, total / np.maximum(weight, 1e-6), np.nan).astype(np.float32)


def codes_from_probability(
    probability: NDArray[np.float32], observed: NDArray[np.bool_], threshold: float
) -> NDArray[np.uint8]:
    """Mask codes at 20 m: each 60 m pixel stands for nine.

    Args:
        probability: (y, x) at 60 m, NaN = nodata.
        observed: (y, x) at 20 m, upper left corner shared; False where any band has no value.
        threshold: above it a pixel is cloud.

    Returns:
        uint8 (y, x) at 20 m: 0 nodata, 1 clear, 2 cloud.
    """
    rows = np.minimum(np.arange(observed.shape[0]) // 3, probability.shape[0] - 1)
    columns = np.minimum(np.arange(observed.shape[1]) // 3, probability.shape[1] - 1)
    code_60m = np.where(probability > threshold, MASK_CLOUD, MASK_CLEAR).astype(np.uint8)
    code_60m[np.isnan(probability)] = MASK_NODATA
    return np.where(observed, code_60m[np.ix_(rows, columns)], MASK_NODATA).astype(np.uint8)


def detector_version() -> str:
    """Name and version of the detector, for the item."""
    return f"s2cloudless {importlib.metadata.version('s2cloudless')}"


def _disk(radius_px: int) -> NDArray[np.float32]:
    y, x = np.mgrid[-radius_px : radius_px + 1, -radius_px : radius_px + 1]
    disk = (x**2 + y**2 <= radius_px**2).astype(np.float32)
    return np.asarray(disk / disk.sum(), np.float32)
