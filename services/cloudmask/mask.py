"""The pure core of the cloud mask: codes from SCL or from a detector, and the dilation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

NODATA, CLEAR, CLOUD, SHADOW, SNOW = range(5)

CLASSES: Final = (
    (NODATA, "nodata", "Not observed", "000000"),
    (CLEAR, "clear", "Clear", "4caf50"),
    (CLOUD, "cloud", "Cloud", "ffffff"),
    (SHADOW, "cloud-shadow", "Cloud shadow", "5a5a5a"),
    (SNOW, "snow-or-ice", "Snow or ice", "80deea"),
)
"""(code, name, description, colour)."""

DILATION_M: Final = 200
DILATION_PX: Final = DILATION_M // 20

THIN_CIRRUS: Final = 10
_CODES: Final = np.array(
    [NODATA, NODATA, CLEAR, SHADOW, CLEAR, CLEAR, CLEAR, CLEAR, CLOUD, CLOUD, CLOUD, SNOW] + [NODATA] * 244, np.uint8
)


def classify_scl(scl: NDArray[np.uint8], thin_cirrus_is_cloud: bool) -> NDArray[np.uint8]:
    """Mask codes of a scene classification.

    Args:
        scl: (y, x), 20 m; values above 11 do not exist and count as nodata.
        thin_cirrus_is_cloud: whether SCL 10 is cloud; otherwise clear.

    Returns:
        uint8 (y, x): 0 nodata, 1 clear, 2 cloud, 3 shadow, 4 snow.
    """
    codes = _CODES.copy()
    codes[THIN_CIRRUS] = CLOUD if thin_cirrus_is_cloud else CLEAR
    return codes[scl]


def dilate_clear(codes: NDArray[np.uint8], radius_px: int = DILATION_PX, strip_px: int = 1024) -> NDArray[np.uint8]:
    """What is clear outside an exact Euclidean disk around each cloud and shadow.

    Args:
        codes: mask codes (y, x).
        radius_px: a pixel at this distance, centre to centre, is still inside.
        strip_px: rows worked on at once; does not change the result.

    Returns:
        uint8 (y, x): 1 = code 1 and farther than `radius_px` from each code 2 or 3.
    """
    clear = np.zeros(codes.shape, np.uint8)
    for rows, halo, inner in _strips(codes.shape[0], strip_px, radius_px):
        bad = np.isin(codes[halo], (CLOUD, SHADOW))
        far = np.ones(bad.shape, bool)
        if bad.any():  # the transform has no answer where nothing is bad
            far = distance_transform_edt(~bad) > radius_px
        clear[rows] = (codes[rows] == CLEAR) & far[inner]
    return clear


def _strips(rows: int, strip_px: int, halo_px: int) -> Iterator[tuple[slice, slice, slice]]:
    """(rows, rows with halo, the rows within their halo) from top to bottom."""
    for top in range(0, rows, strip_px):
        bottom = min(rows, top + strip_px)
        above = max(0, top - halo_px)
        yield slice(top, bottom), slice(above, min(rows, bottom + halo_px)), slice(top - above, bottom - above)


def percentages(codes: NDArray[np.uint8], clear: NDArray[np.uint8]) -> dict[str, float]:
    """Shares of the scene in percent, rounded to 4 places: `observed` of all pixels, the others of those observed."""
    counts = np.bincount(codes.ravel(), minlength=5)
    observed = int(codes.size - counts[NODATA])
    shares = {name: int(counts[code]) for code, name, _, _ in CLASSES[1:]} | {"usable": int(clear.sum())}
    result = {name: round(100 * count / max(observed, 1), 4) for name, count in shares.items()}
    return result | {"observed": round(100 * observed / max(codes.size, 1), 4)}
