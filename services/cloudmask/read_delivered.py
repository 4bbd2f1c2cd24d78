"""A mask that others made, in the codes of our own, on the lattice of a scene's 20 m bands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.errors import RasterioError

from shared.area.masks import MaskSource
from shared.raster.delivered import decode_fault
from shared.raster.grid import Lattice
from shared.raster.nearest import open_nearest
from shared.sensors import MASK_CLEAR, MASK_CLOUD, MASK_NODATA
from shared.stage import RejectScene

REMEDY = "deliver the mask again, or take its source out of the area's `masks:`"


def read_delivered(path: Path, source: MaskSource, lattice: Lattice) -> NDArray[np.uint8]:
    """Read the codes of a lattice: each pixel's centre takes the pixel of the mask in which it lies.

    Args:
        path: a GeoTIFF of one band, of any CRS and pixel.
        source: what its values mean.
        lattice: of the scene's 20 m bands.

    Returns:
        uint8 (y, x): mask codes; 0 where the mask has nodata or does not reach.

    Raises:
        RejectScene: a value has no meaning, or the mask does not decode.
    """
    try:
        with open_nearest(path, lattice) as warped:
            values, alpha = warped.read()
    except (RasterioError, OSError) as error:
        raise RejectScene(path.name, decode_fault(error, path), REMEDY) from error
    there = alpha > 0
    if source.cloud_above is not None:
        there &= np.isfinite(values) & ~np.isin(values, source.nodata)
        _check_unit(values, there, source, path.name)
        codes = np.where(values > source.cloud_above, MASK_CLOUD, MASK_CLEAR)
        return np.where(there, codes, MASK_NODATA).astype(np.uint8)
    if source.bits:
        return _read_flags(values, there, source)
    codes, seen = np.full(values.shape, MASK_NODATA, np.uint8), ~there
    for value, code in source.codes.items():
        own = there & (values == value)
        codes[own] = code
        seen |= own
    if not seen.all():
        odd = ", ".join(map(str, np.unique(values[~seen])[:8].tolist()))
        fault = f"has pixels of {odd}, of which `masks:` does not say what they are for {source.source}"
        raise RejectScene(path.name, fault, REMEDY)
    return codes


def _read_flags(values: NDArray[Any], there: NDArray[np.bool_], source: MaskSource) -> NDArray[np.uint8]:
    seen = there & ~np.isin(values, source.nodata)
    codes = np.where(seen, MASK_CLEAR, MASK_NODATA).astype(np.uint8)
    for bit, code in reversed(source.codes.items()):  # the first kind is the last to be written
        codes[seen & (values >> bit & 1).astype(bool)] = code
    return codes


def _check_unit(values: NDArray[Any], there: NDArray[np.bool_], source: MaskSource, name: str) -> None:
    """Refuse shares of 1 where percent are read, of which each would be clear; a scene of whole percent may be so.

    Raises:
        RejectScene: they are.
    """
    seen = values[there]
    if source.cloud_above is None or source.cloud_above <= 1 or values.dtype.kind != "f" or not seen.size:
        return
    if 0 < seen.max() <= 1:
        read = f"{source.source} is read as cloud above {source.cloud_above:g}"
        fault = f"has no probability above {seen.max():g}, and {read}"
        raise RejectScene(name, fault, "give `cloud_above` in the unit of the file in `masks:`, or deliver percent")
