"""Values as colours that people look at: classes, true colour, and a hatch where nothing was observed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.sensors import MSI_OFFSET, MSI_QUANTIFICATION

Array = NDArray[Any]

BRIGHTEST: Final = 0.3
"""Reflectance that is drawn white: bare soil and roofs are below it, clouds and snow above. Fixed, so weeks compare."""

GAMMA: Final = 1.5
"""Forest and water reflect 1 to 4 percent: drawn in proportion they would be black."""

HATCH_PX: Final = 8
HATCH_GREY, HATCH_LINE = 222, 176

UNKNOWN_COLOR: Final = "#000000"


def render_true_colour(stored: Array) -> NDArray[np.uint8]:
    """Render stored values of the cube in true colour.

    Args:
        stored: uint16 or float (y, x, band), B02 B03 B04 first, in the cube's encoding; 0 = not observed.

    Returns:
        uint8 (y, x, 3): red, green, blue, 1..255; 0 where not observed.
    """
    bgr = stored[..., :3].astype(np.float32)
    reflectance = (bgr - MSI_OFFSET) / MSI_QUANTIFICATION
    level = np.clip(reflectance / BRIGHTEST, 0, 1) ** (1 / GAMMA)
    seen = (bgr > 0).all(axis=-1, keepdims=True)
    return ((1 + np.round(254 * level[..., ::-1])) * seen).astype(np.uint8)


def render_classes(values: Array, colors: Mapping[int, str]) -> NDArray[np.uint8]:
    """Render classes in their colours, and what is 0 as a grey hatch.

    Args:
        values: uint8 (y, x), 0 = not observed.
        colors: value -> `#rrggbb`.

    Returns:
        uint8 (y, x, 3).
    """
    table = np.array([tuple(bytes.fromhex(colors.get(v, UNKNOWN_COLOR)[1:])) for v in range(256)], np.uint8)
    picture: NDArray[np.uint8] = table[values]
    return _hatch(picture, values > 0)


def hatch_unseen(picture: Array) -> NDArray[np.uint8]:
    """Draw a grey hatch over a picture in true colour, uint8 (y, x, 3), where it is 0: nothing was observed there."""
    return _hatch(picture, np.any(picture, axis=-1))


def _hatch(picture: Array, seen: Any) -> NDArray[np.uint8]:
    """Draw a grey hatch where `seen` (y, x) is false: neither paper nor a class looks like it."""
    y, x = np.ogrid[: seen.shape[0], : seen.shape[1]]
    hatch = np.where((x + y) % HATCH_PX < 2, np.uint8(HATCH_LINE), np.uint8(HATCH_GREY))
    result: NDArray[np.uint8] = np.where(seen[..., None], picture, hatch[..., None])
    return result


def enlarge(picture: Array, factor: int) -> Array:
    """Repeat each pixel of an array (y, x, ...) along y and x."""
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def thin_by_mode(values: Array, step: int) -> NDArray[np.uint8]:
    """Put blocks of pixels together by their most frequent value, the lowest above 0 among equals.

    Args:
        values: uint8 (y, x).
        step: side of a block; those along the lower and right edge may be smaller.

    Returns:
        uint8 (y / step, x / step), rounded up.
    """
    ny, nx = values.shape
    rows, cols = -(-ny // step), -(-nx // step)
    # Value 0 is counted last, so that it wins no tie.
    most = int(values.max(initial=0))
    place = np.arange(nx) // step * (most + 1)
    thin = np.zeros((rows, cols), np.uint8)
    for row in range(rows):
        strip = values[row * step : (row + 1) * step].astype(np.int64)
        order = np.where(strip == 0, most, strip - 1)
        counts = np.bincount((place + order).ravel(), minlength=cols * (most + 1)).reshape(cols, most + 1)
        winner = counts.argmax(axis=1)
        thin[row] = np.where(winner == most, 0, winner + 1)
    return thin
