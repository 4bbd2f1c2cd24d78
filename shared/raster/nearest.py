"""A delivered GeoTIFF on another lattice: each pixel's centre takes the delivered pixel in which it lies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import rasterio
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from shared.raster.delivered import DECODER, GEOTIFF
from shared.raster.grid import Lattice
from shared.raster.options import DELIVERED

EXACT_PX: Final = 1e-6
"""Pixels of the delivery by which a position may be off; GDAL's usual eighth of one moves the edges of classes."""


@contextmanager
def open_nearest(path: Path, lattice: Lattice) -> Iterator[WarpedVRT]:
    """Open a GeoTIFF of one band, of any CRS and pixel, as it lies on a lattice.

    Args:
        path: the GeoTIFF.
        lattice: where its pixels are wanted.

    Yields:
        Two bands: the values, and 0 where the delivery has nodata or does not reach.

    Raises:
        rasterio.errors.RasterioError: it cannot be opened, or not be read while it is open.
    """
    ny, nx = lattice.shape
    place = {"crs": lattice.crs, "transform": rasterio.Affine(*lattice.transform), "width": nx, "height": ny}
    with (
        rasterio.Env(**DELIVERED, **DECODER),
        rasterio.open(path, driver=GEOTIFF.driver) as delivered,
        WarpedVRT(delivered, **place, resampling=Resampling.nearest, tolerance=EXACT_PX, add_alpha=True) as warped,
    ):
        yield warped
