"""The pixels of a raster of classes on the area's grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.windows import Window

from shared.raster.delivered import decode_fault
from shared.raster.grid import Lattice
from shared.raster.nearest import open_nearest
from shared.stage import RejectScene


def read_classes(
    path: Path, known: Mapping[int, int], lattice: Lattice, strip_px: int
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Read the classes of a lattice, strip by strip from the north: each pixel's centre takes the pixel it lies in.

    Args:
        path: a GeoTIFF of one band of whole numbers, of any CRS.
        known: value of its pixels -> class 1..K; 0 = known and unlabelled.
        lattice: projected, in metres.
        strip_px: rows of a strip.

    Yields:
        (first row, uint8 (y, x)): 0 = unlabelled: nodata, outside the raster, or said to be.

    Raises:
        RejectScene: a value is not known, or the raster does not decode.
    """
    height, width = lattice.shape
    try:
        with open_nearest(path, lattice) as warped:
            for top in range(0, height, strip_px):
                window = Window(0, top, width, min(strip_px, height - top))
                values, alpha = warped.read(window=window)
                yield top, _classes(values, alpha > 0, known, path.name)
    except (RasterioError, OSError) as error:
        raise RejectScene(path.name, decode_fault(error, path), "deliver the labels again") from error


def _classes(
    values: NDArray[np.integer], there: NDArray[np.bool_], known: Mapping[int, int], name: str
) -> NDArray[np.uint8]:
    if values.dtype.itemsize > 2:
        found, indexes = np.unique(np.where(there, values, 0), return_inverse=True)
    else:  # each value has its place in a table; sorting the pixels of a country takes minutes
        indexes = values.view(f"u{values.dtype.itemsize}")
        found = np.arange(1 << 8 * values.dtype.itemsize, dtype=indexes.dtype).view(values.dtype)
    indexes = indexes.reshape(values.shape)
    seen = np.zeros(len(found), bool)
    seen[indexes[there]] = True
    if odd := [value for value in found[seen].tolist() if value not in known]:
        listed = ", ".join(map(str, odd[:8])) + (" ..." if len(odd) > 8 else "")
        fault = f"has pixels of {listed}, unknown to the label scheme"
        raise RejectScene(name, fault, "add the values to `sources` or `ignored` of the area file's label scheme")
    table = np.array([known.get(value, 0) for value in found.tolist()], np.uint8)
    return np.where(there, table[indexes], np.uint8(0))
