"""Where and when a network errs: scores of each week, and by distance to the edge of a label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter, minimum_filter

from services.trainer.score import confuse, measure
from services.trainer.windows import Windows

EDGE_BANDS: Mapping[str, int | None] = {"1": 1, "2": 2, "3-5": 5, "6-10": 10, "over 10": None}
"""Name of a band -> its largest distance in 10 m px; 1 = the pixel touches another class, at a corner, too."""

UNLABELLED = 255
"""What stands for no label where the smallest class is looked for: no scheme has as many classes."""

Array = npt.NDArray[Any]


class Strata:
    """Confusion matrices of the held-out pixels by week and by edge band.

    Args:
        classes: number of classes.
    """

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._weeks: dict[str, Array] = {}
        self._bands = np.zeros((len(EDGE_BANDS), classes, classes), np.int64)

    def add(self, windows: Windows, mapped: Array) -> None:
        """Add windows and their maps uint8 (n, y, x); only the blocks themselves are counted."""
        reference, found = windows.inner(windows.labels), windows.inner(mapped)
        band = windows.inner(edge_bands(windows.labels))
        for i, place in enumerate(windows.places):
            before = self._weeks.get(place.week, 0)
            self._weeks[place.week] = before + confuse(reference[i], found[i], self._classes)
        for number in range(len(EDGE_BANDS)):
            self._bands[number] += confuse(reference * (band == number), found, self._classes)

    def facts(self) -> dict[str, Any]:
        """`by_week` and `by_edge` of `landstream:metrics`: accuracy, miou and pixels of each week and of each band."""
        return {
            "by_week": {week: _scores(self._weeks[week]) for week in sorted(self._weeks)},
            "by_edge": {name: _scores(self._bands[number]) for number, name in enumerate(EDGE_BANDS)},
        }


def edge_bands(labels: Array) -> Array:
    """Tell how far each labelled pixel is from the nearest pixel of another class, within its window.

    The distance is that of chess: a square of 2 d + 1 px around the pixel holds no other class if it is above d.
    Neither unlabelled ground nor what was not observed makes an edge.

    Args:
        labels: uint8 (n, y, x): 0 = unlabelled or not observed.

    Returns:
        uint8 (n, y, x): place of the band in `EDGE_BANDS`; without meaning where there is no label.
    """
    lowest = np.where(labels > 0, labels, UNLABELLED).astype(np.uint8)
    band = np.zeros(labels.shape, np.uint8)
    for reach in EDGE_BANDS.values():
        if reach is not None:
            size = (1, 2 * reach + 1, 2 * reach + 1)
            uniform = (maximum_filter(labels, size) == labels) & (minimum_filter(lowest, size) == lowest)
            band += uniform
    return band


def _scores(confusion: Array) -> dict[str, Any]:
    measures = measure(confusion)
    return {name: measures[name] for name in ("accuracy", "miou", "pixels")}
