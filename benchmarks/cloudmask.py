"""The dilation of a full-size cloud mask (5,490 x 5,490, disk of 10 px) against SciPy's and OpenCV's."""

from __future__ import annotations

import cv2
import numpy as np
from race import race
from scipy.ndimage import binary_dilation, gaussian_filter

from services.cloudmask.mask import CLOUD, DILATION_PX, SHADOW, classify_scl, dilate, dilate_clear


def main() -> None:
    """Check that all agree, then race."""
    field = gaussian_filter(np.random.default_rng(0).standard_normal((1098, 1098), np.float32), 12)
    kinds = np.digitize(field, np.quantile(field, [0.70, 0.85, 0.90]))
    scl = np.tile(np.array([4, 5, 9, 3], np.uint8)[kinds], (5, 5))
    codes = classify_scl(scl, thin_cirrus_is_cloud=True)
    mask = (codes == CLOUD) | (codes == SHADOW)
    y, x = np.mgrid[-DILATION_PX : DILATION_PX + 1, -DILATION_PX : DILATION_PX + 1]
    disk = (x**2 + y**2 <= DILATION_PX**2).astype(np.uint8)
    ours = dilate(mask, DILATION_PX)
    assert np.array_equal(ours, cv2.dilate(mask.view(np.uint8), disk).view(bool))
    peers = {"cv2.dilate": lambda: cv2.dilate(mask.view(np.uint8), disk)}
    race("dilation, 5490 x 5490", lambda: dilate(mask, DILATION_PX), peers, 9)
    slow = {"scipy.ndimage.binary_dilation": lambda: binary_dilation(mask, disk)}
    race("dilation, 5490 x 5490", lambda: dilate(mask, DILATION_PX), slow, 3)
    whole = {"the same with cv2": lambda: cv2.dilate(np.isin(classify_scl(scl, True), (2, 3)).view(np.uint8), disk)}
    race("SCL to codes and clear, 5490 x 5490", lambda: dilate_clear(classify_scl(scl, True)), whole, 5)


if __name__ == "__main__":
    main()
