"""Whether confidence means what it says: the share of right pixels among those of a confidence.

A reliability diagram and the expected calibration error, over the held-out labelled pixels and the confidence that a
client gets with a class (percent). Blocks are counted one by one, so that intervals draw blocks and not pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from services.trainer.bootstrap import draw_blocks, interval_of
from services.trainer.places import Place

BINS = 10
"""Bins of ten percent; 100 % lies in the last one."""

FEWEST_SHARE = 0.01
"""Share of the pixels that a bin holds at least before it may be the worst one: a few pixels are off by chance."""

PIXELS, HITS, PERCENT = range(3)
"""What is counted of a bin: pixels, right ones, and the sum of their confidences in percent."""

Array = npt.NDArray[Any]


class Reliability:
    """Counts confidences in bins, for each block and for each mapped class.

    Args:
        classes: number of classes.
    """

    def __init__(self, classes: int) -> None:
        self._blocks: dict[tuple[int, int], Array] = {}
        self._classes = np.zeros((classes, BINS, 3), np.int64)

    def add(self, places: Sequence[Place], reference: Array, mapped: Array, confidence: Array) -> None:
        """Add tested blocks.

        Args:
            places: n blocks in weeks.
            reference: uint8 (n, y, x): 0 = no reference.
            mapped: uint8 (n, y, x): 0 = not mapped.
            confidence: uint8 (n, y, x), percent.
        """
        for i, place in enumerate(places):
            counts = count_confidences(reference[i], mapped[i], confidence[i], len(self._classes))
            block = place.row, place.col
            self._blocks[block] = self._blocks.get(block, 0) + counts.sum(axis=0)
            self._classes += counts

    @property
    def blocks(self) -> Array:
        """Of the blocks with a reference, by row and column: int64 (block, BINS, 3)."""
        kept = [self._blocks[block] for block in sorted(self._blocks) if self._blocks[block].any()]
        return np.array(kept, np.int64).reshape(-1, BINS, 3)

    def facts(self) -> dict[str, Any]:
        """`calibration` of `landstream:metrics`; empty where there is no pixel.

        `ece`, `mce` (of bins with a hundredth of the pixels) and `overconfidence` (mean confidence less accuracy) are
        shares; `interval_95` holds the first and the last; `bins`: from, to, confidence and accuracy as shares, pixels;
        `ece_per_class`: mapped value -> share, of the classes that are mapped.
        """
        blocks = self.blocks
        if not len(blocks):
            return {}
        total = blocks.sum(axis=0)
        drawn = draw_blocks(blocks)
        return {
            "ece": round(float(calibration_errors(total)), 6),
            "mce": round(_worst(total), 6),
            "overconfidence": round(float(overconfidences(total)), 6),
            "interval_95": {
                "ece": interval_of(calibration_errors(drawn)),
                "overconfidence": interval_of(overconfidences(drawn)),
            },
            "bins": [_bin(number, *map(int, row)) for number, row in enumerate(total)],
            "ece_per_class": {
                str(i + 1): round(float(calibration_errors(bins)), 6)
                for i, bins in enumerate(self._classes)
                if bins.any()
            },
        }


def count_confidences(reference: Array, mapped: Array, confidence: Array, classes: int) -> Array:
    """Count the pixels that have both a reference and a map value.

    Args:
        reference: uint8, any shape: 0 = no reference, 1..classes.
        mapped: uint8, the same shape: 0 = not mapped, 1..classes.
        confidence: uint8, the same shape, percent.
        classes: number of classes.

    Returns:
        int64 (mapped class, BINS, 3): pixels, right ones, sum of confidences in percent.
    """
    both = (reference > 0) & (mapped > 0)
    value, percent = mapped[both].astype(np.int64), confidence[both].astype(np.int64)
    place = (value - 1) * BINS + np.minimum(percent * BINS // 100, BINS - 1)
    weights = (None, reference[both] == mapped[both], percent)
    # Sums of integers below 2 ** 53 are exact in float64.
    counts = [np.bincount(place, weight, classes * BINS).astype(np.int64) for weight in weights]
    return np.stack(counts, axis=-1).reshape(classes, BINS, 3)


def calibration_errors(bins: Array) -> Array:
    """Return the expected calibration error: int64 (..., BINS, 3) -> share, float64 (...); 0 without pixels."""
    gaps = np.abs(bins[..., HITS] - bins[..., PERCENT] / 100).sum(axis=-1)
    error: Array = gaps / np.maximum(bins[..., PIXELS].sum(axis=-1), 1)
    return error


def overconfidences(bins: Array) -> Array:
    """Return mean confidence less accuracy: int64 (..., BINS, 3) -> share, float64 (...); 0 without pixels."""
    gap = (bins[..., PERCENT] / 100 - bins[..., HITS]).sum(axis=-1)
    share: Array = gap / np.maximum(bins[..., PIXELS].sum(axis=-1), 1)
    return share


def _worst(bins: Array) -> float:
    """Return the largest gap of a bin that holds enough pixels: int64 (BINS, 3) -> share."""
    pixels = bins[:, PIXELS]
    enough = pixels >= max(1, FEWEST_SHARE * pixels.sum())
    gaps = np.abs(bins[:, HITS] - bins[:, PERCENT] / 100) / np.maximum(pixels, 1)
    return float(gaps[enough].max(initial=0.0))


def _bin(number: int, pixels: int, hits: int, percent: int) -> dict[str, Any]:
    return {
        "from": number / BINS,
        "to": (number + 1) / BINS,
        "pixels": pixels,
        "confidence": round(percent / 100 / pixels, 6) if pixels else None,
        "accuracy": round(hits / pixels, 6) if pixels else None,
    }
