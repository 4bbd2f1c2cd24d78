"""The dilation of a full-size cloud mask (5,490 x 5,490, disk of 10 px) against OpenCV's and SciPy's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter

from benchmarks.race import Peer, Race, main
from services.cloudmask.mask import DILATION_PX, classify_scl, dilate, dilate_clear
from shared.sensors import MASK_CLEAR, MASK_CLOUD, MASK_SHADOW

OPENCV = "opencv-python-headless"


def races(folder: Path) -> Iterator[Race]:
    """Yield the races of the cloud mask."""
    field = gaussian_filter(np.random.default_rng(0).standard_normal((1098, 1098), np.float32), 12)
    kinds = np.digitize(field, np.quantile(field, [0.70, 0.85, 0.90]))
    scl = np.tile(np.array([4, 5, 9, 3], np.uint8)[kinds], (5, 5))
    codes = classify_scl(scl, thin_cirrus_is_cloud=True)
    mask = (codes == MASK_CLOUD) | (codes == MASK_SHADOW)
    y, x = np.mgrid[-DILATION_PX : DILATION_PX + 1, -DILATION_PX : DILATION_PX + 1]
    disk = (x**2 + y**2 <= DILATION_PX**2).astype(np.uint8)
    yield Race(
        "mask: dilation of 5,490 x 5,490 with a disk of 10 px",
        lambda: dilate(mask, DILATION_PX),
        [
            Peer("OpenCV dilate", lambda: cv2.dilate(mask.view(np.uint8), disk).view(bool), 4, np.array_equal, OPENCV),
            Peer("SciPy binary_dilation", lambda: binary_dilation(mask, disk), 50, np.array_equal, "scipy"),
        ],
    )
    yield Race(
        "mask: SCL to codes and clear",
        lambda: dilate_clear(classify_scl(scl, True)),
        [Peer("with OpenCV's dilation", lambda: _clear(classify_scl(scl, True), disk), 1, np.array_equal, OPENCV)],
    )


def _clear(codes: NDArray[np.uint8], disk: NDArray[np.uint8]) -> NDArray[np.bool_]:
    near = cv2.dilate(((codes == MASK_CLOUD) | (codes == MASK_SHADOW)).view(np.uint8), disk).view(bool)
    clear: NDArray[np.bool_] = (codes == MASK_CLEAR) & ~near
    return clear


if __name__ == "__main__":
    main(races, __doc__)
