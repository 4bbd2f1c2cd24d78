"""The images of a scene, read in strips: L1C bands as reflectance at 60 m, and where all of them were observed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.windows import Window

from services.cloudmask.detect import BANDS, block_mean
from shared.raster.delivered import DECODER, decode_fault, format_of
from shared.raster.options import DELIVERED
from shared.stage import BrokenPicture

REMEDY = "deliver the product again as its provider published it"
_MAX_ROWS = 4096


@contextmanager
def _opened(path: Path) -> Iterator[rasterio.DatasetReader]:
    """Open an image; what GDAL cannot open, or not read while it is open, is a broken picture."""
    try:
        with rasterio.Env(**DELIVERED, **DECODER), rasterio.open(path, driver=format_of(path).driver) as image:
            yield image
    except RasterioError as error:
        raise BrokenPicture(path.name, decode_fault(error, path), REMEDY) from error


def read_all(path: Path) -> NDArray[Any]:
    """Read the one band of an image, (y, x).

    Raises:
        BrokenPicture: it cannot be decoded.
    """
    with _opened(path) as image:
        result: NDArray[Any] = image.read(1)
        return result


def read_l1c(
    paths: Mapping[str, Path], offsets: Mapping[str, int], quantification: float, shape_20m: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Reflectance for the detector, and which 20 m cells every band has observed.

    Args:
        paths: asset name (`B02_10m`) -> file.
        offsets: band -> offset in DN.
        quantification: reflectance = (DN + offset) / quantification.
        shape_20m: (ny, nx) of the mask.

    Returns:
        reflectance float32 (y, x, band) at 60 m in the order of `detect.BANDS`, NaN = nodata;
        observed bool (y, x) at 20 m: no DN is 0 in any band.

    Raises:
        BrokenPicture: a band cannot be decoded.
    """
    shape_60m = (-(-shape_20m[0] // 3), -(-shape_20m[1] // 3))
    reflectance = np.full((*shape_60m, len(BANDS)), np.nan, np.float32)
    observed = np.ones(shape_20m, bool)
    for name, path in sorted(paths.items()):
        band, pixel_m = name.split("_")[0], int(name.split("_")[1].removesuffix("m"))
        factor = 60 // pixel_m
        for top, dn in _strips(path, factor):
            seen = _observed_20m(dn != 0, pixel_m)
            first = top * pixel_m // 20
            rows = slice(first, min(first + len(seen), shape_20m[0]))
            width = min(seen.shape[1], shape_20m[1])
            observed[rows, :width] &= seen[: rows.stop - rows.start, :width]
            observed[rows, width:] = False
            if band in BANDS:
                # DN first to float: an offset of -1000 would wrap around in uint16.
                values = (dn.astype(np.float32) + np.float32(offsets.get(band, 0))) / np.float32(quantification)
                values[dn == 0] = np.nan
                first_60m = top // factor
                height = min(-(-len(dn) // factor), shape_60m[0] - first_60m)
                part = block_mean(values, factor, (height, shape_60m[1]))
                reflectance[first_60m : first_60m + height, :, BANDS.index(band)] = part
    return reflectance, observed


def _strips(path: Path, factor: int) -> Iterator[tuple[int, NDArray[np.uint16]]]:
    """(first row, DN) in strips of whole code-stream tiles, so that each is decoded once, and of whole 60 m pixels."""
    with _opened(path) as image:
        aligned = math.lcm(image.block_shapes[0][0], factor)
        rows = aligned if aligned <= _MAX_ROWS else _MAX_ROWS // factor * factor
        for top in range(0, image.height, rows):
            yield top, image.read(1, window=Window(0, top, image.width, min(rows, image.height - top)))


def _observed_20m(observed: NDArray[np.bool_], pixel_m: int) -> NDArray[np.bool_]:
    """Put a band's observed pixels on the 20 m lattice: all four 10 m pixels, or the 60 m pixel around."""
    if pixel_m == 10:
        even = observed[: len(observed) // 2 * 2, : observed.shape[1] // 2 * 2]
        return np.asarray(even.reshape(len(even) // 2, 2, even.shape[1] // 2, 2).all(axis=(1, 3)))
    return observed.repeat(pixel_m // 20, axis=0).repeat(pixel_m // 20, axis=1)
