"""What the values of a class raster mean: for the item's `classification:classes`, the GeoTIFF and its sidecar."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from shared.area import LabelScheme
from shared.sensors import MASK_CLEAR, MASK_CLOUD, MASK_NODATA, MASK_SHADOW, MASK_SNOW

UNLABELLED: Final = "Unlabelled"
NOT_OBSERVED: Final = "Not observed"


@dataclass(frozen=True)
class PixelClass:
    """One value of a class raster.

    Attributes:
        value: 0..255.
        title: for people.
        color: `#rrggbb`; empty = transparent.
        code: the scheme's own code; empty = told by the title.
        nodata: whether the value says that nothing is known.
    """

    value: int
    title: str
    color: str = ""
    code: str = ""
    nodata: bool = False

    @property
    def name(self) -> str:
        """The name as the classification extension wants it: of `a-z`, `0-9`, `-` and `_`."""
        return re.sub(r"[^a-z0-9_-]", "-", (self.code or self.title).lower())

    @property
    def rgba(self) -> tuple[int, int, int, int]:
        """Red, green, blue, alpha, 0..255 each."""
        if not self.color:
            return 0, 0, 0, 0
        red, green, blue = bytes.fromhex(self.color[1:])
        return red, green, blue, 255


MASK_CLASSES: Final = (
    PixelClass(MASK_NODATA, NOT_OBSERVED, "#000000", "nodata", nodata=True),
    PixelClass(MASK_CLEAR, "Clear", "#4caf50"),
    PixelClass(MASK_CLOUD, "Cloud", "#ffffff"),
    PixelClass(MASK_SHADOW, "Cloud shadow", "#5a5a5a"),
    PixelClass(MASK_SNOW, "Snow or ice", "#80deea"),
)
"""Band `code` of a cloud mask."""

CLEAR_CLASSES: Final = (PixelClass(0, "Not clear", "#000000"), PixelClass(1, "Clear", "#ffffff"))
"""Band `clear` of a cloud mask, after dilation."""


def classes_of(scheme: LabelScheme, zero: str | None = None) -> tuple[PixelClass, ...]:
    """List the classes of a label scheme, ascending by value.

    Args:
        scheme: the scheme.
        zero: what value 0 means, as a title; None = the values of the scheme alone.
    """
    empty = () if zero is None else (PixelClass(0, zero, nodata=True),)
    return (*empty, *(PixelClass(v, c.name, c.color, c.code) for v, c in scheme.values.items()))


def classification(classes: Iterable[PixelClass]) -> list[dict[str, Any]]:
    """Return classes as `classification:classes`."""
    return [
        {"value": c.value, "name": c.name, "title": c.title}
        | ({"color_hint": c.color[1:].upper()} if c.color else {})
        | ({"nodata": True} if c.nodata else {})
        for c in classes
    ]
