"""Write maps as cloud-optimised GeoTIFFs; the same arrays give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy.typing as npt

from services.inference.blend import CONFIDENCE_NODATA
from services.inference.item import CONFIDENCE, DISSIMILARITY, LAND_COVER, cells_of
from shared.items.classes import PixelClass
from shared.raster.applicability import DISSIMILARITY_NODATA
from shared.raster.cog import Band, Encoding, Strip, write_cog, write_sidecar
from shared.raster.grid import Lattice

CLASSES = Encoding("uint8", 0, "mode", least_overviews=1)
PERCENT = Encoding("uint8", CONFIDENCE_NODATA, "average", least_overviews=1)
OF_THRESHOLD = Encoding("uint8", DISSIMILARITY_NODATA, "average", least_overviews=1)

Array = npt.NDArray[Any]


def write_map(
    folder: Path,
    values: Array,
    confidence: Array,
    lattice: Lattice,
    classes: Sequence[PixelClass],
    *,
    title: str,
    attribution: str,
    dissimilarity: Array | None = None,
) -> None:
    """Write the rasters of a map.

    Args:
        folder: where.
        values: uint8 (y, x), 0 = not observed.
        confidence: uint8 (y, x), percent, 255 = not observed.
        lattice: where the pixels lie.
        classes: what the values mean, 0 among them.
        title: one line for people.
        attribution: whose data and labels they are made of.
        dissimilarity: uint8 (y / 4, x / 4), percent of the threshold, 255 = not observed; None = no such layer.
    """
    write = partial(write_cog, title=title, attribution=attribution)
    land_cover = [Band("land cover", classes=tuple(classes))]
    write(folder / LAND_COVER, lattice, land_cover, [Strip(values)], CLASSES)
    write_sidecar(folder / LAND_COVER, land_cover)
    write(folder / CONFIDENCE, lattice, [Band("confidence", "percent")], [Strip(confidence)], PERCENT)
    if dissimilarity is not None:
        bands = [Band("dissimilarity index", "percent of the threshold")]
        write(folder / DISSIMILARITY, cells_of(lattice), bands, [Strip(dissimilarity)], OF_THRESHOLD)
