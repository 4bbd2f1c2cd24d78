"""The pure core of the cloud mask: codes from SCL or from a detector, and the dilation."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.items.classes import MASK_CLASSES
from shared.sensors import MASK_CLEAR, MASK_CLOUD, MASK_NODATA, MASK_SHADOW, MASK_SNOW

DILATION_M: Final = 200
DILATION_PX: Final = DILATION_M // 20

THIN_CIRRUS: Final = 10
_CODES: Final = np.full(256, MASK_NODATA, np.uint8)
_CODES[[2, 4, 5, 6, 7]] = MASK_CLEAR
_CODES[3] = MASK_SHADOW
_CODES[[8, 9, THIN_CIRRUS]] = MASK_CLOUD
_CODES[11] = MASK_SNOW


def classify_scl(scl: NDArray[np.uint8], thin_cirrus_is_cloud: bool) -> NDArray[np.uint8]:
    """Mask codes of a scene classification.

    Args:
        scl: (y, x), 20 m; values above 11 do not exist and count as nodata.
        thin_cirrus_is_cloud: whether SCL 10 is cloud; otherwise clear.

    Returns:
        uint8 (y, x): 0 nodata, 1 clear, 2 cloud, 3 shadow, 4 snow.
    """
    codes = _CODES.copy()
    codes[THIN_CIRRUS] = MASK_CLOUD if thin_cirrus_is_cloud else MASK_CLEAR
    return codes[scl]


def dilate_clear(codes: NDArray[np.uint8], radius_px: int = DILATION_PX) -> NDArray[np.uint8]:
    """Return what is clear outside an exact Euclidean disk around each cloud and shadow.

    Args:
        codes: mask codes (y, x).
        radius_px: a pixel at this distance, centre to centre, is still inside.

    Returns:
        uint8 (y, x): 1 = code 1 and farther than `radius_px` from each code 2 or 3.
    """
    near = dilate((codes == MASK_CLOUD) | (codes == MASK_SHADOW), radius_px)
    clear: NDArray[np.uint8] = ((codes == MASK_CLEAR) & ~near).astype(np.uint8)
    return clear


def dilate(mask: NDArray[np.bool_], radius_px: int) -> NDArray[np.bool_]:
    """Dilate a mask bool (y, x) with a disk, 64 pixels of a row at a time in the bits of a word."""
    rows, columns = mask.shape
    octets = np.packbits(mask, axis=1, bitorder="little")
    words = np.zeros((rows, -(-columns // 64)), "<u8")
    words.view(np.uint8)[:, : octets.shape[1]] = octets
    near = np.zeros_like(words)
    # The disk's rows, by their half width: at this height above and below the centre it is as wide as that.
    heights: dict[int, list[int]] = {}
    for height in range(min(radius_px, rows - 1) + 1):
        heights.setdefault(math.isqrt(radius_px**2 - height**2), []).append(height)
    for width in range(radius_px + 1):
        if width:
            words = _spread(words)
        for height in heights.get(width, ()):
            near[height:] |= words[: rows - height]
            near[: rows - height] |= words[height:]
    return np.unpackbits(near.view(np.uint8), axis=1, count=columns, bitorder="little").view(bool)


def _spread(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Rows of bits, each bit set that is set or has a neighbour in its row that is."""
    one, last = np.uint64(1), np.uint64(63)
    spread = words | words << one | words >> one
    spread[:, 1:] |= words[:, :-1] >> last
    spread[:, :-1] |= words[:, 1:] << last
    return np.asarray(spread)


def percentages(codes: NDArray[np.uint8], clear: NDArray[np.uint8]) -> dict[str, float]:
    """Shares of the scene in percent, rounded to 4 places: `observed` of all pixels, the others of those observed."""
    counts = {c: int(np.count_nonzero(codes == c.value)) for c in MASK_CLASSES}
    observed = codes.size - sum(count for c, count in counts.items() if c.nodata)
    shares = {c.name: count for c, count in counts.items() if not c.nodata} | {"usable": int(np.count_nonzero(clear))}
    result = {name: round(100 * count / max(observed, 1), 4) for name, count in shares.items()}
    return result | {"observed": round(100 * observed / max(codes.size, 1), 4)}
