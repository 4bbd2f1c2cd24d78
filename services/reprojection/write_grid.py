"""Writes lattice rasters as cloud-optimised GeoTIFFs, one band in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.transform import Affine

from services.reprojection.lattice import Window

Band = tuple[str, str, NDArray[Any]]
"""(description, unit, values (y, x))."""

CACHE_BYTES = 256 << 20
"""GDAL's cache of blocks; its default, a share of the machine's memory, is not ours to take."""


def write_grid(
    path: Path,
    bands: Iterable[Band],
    count: int,
    dtype: str,
    nodata: float,
    window: Window,
    tags: Mapping[str, str],
) -> None:
    """Write one raster.

    Args:
        path: the file to make.
        bands: in order.
        count: how many.
        dtype: `float32` or `uint32`.
        nodata: value of cells without data.
        window: where on the lattice.
        tags: TIFF tags.
    """
    scratch = path.with_suffix(".scratch.tif")
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES):
        _write(scratch, bands, count, dtype, nodata, window, tags)
        options = {
            "COMPRESS": "DEFLATE",
            "LEVEL": "1",
            # ^ radiances hold about 12 bits of noise: higher levels cost ten times as much for 3 %
            "PREDICTOR": "YES",
            "BLOCKSIZE": "256",
            "OVERVIEW_RESAMPLING": "NEAREST",
            "BIGTIFF": "YES",
            "NUM_THREADS": "2",
        }
        rasterio.shutil.copy(scratch, path, driver="COG", **options)
    scratch.unlink()


def _write(
    path: Path, bands: Iterable[Band], count: int, dtype: str, nodata: float, window: Window, tags: Mapping[str, str]
) -> None:
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        dtype=dtype,
        count=count,
        height=window.rows,
        width=window.cols,
        crs="EPSG:4326",
        transform=Affine(*window.transform),
        nodata=nodata,
        tiled=True,
        blockxsize=256,
        blockysize=256,
        interleave="band",
        bigtiff="YES",
    ) as image:
        image.update_tags(**tags)
        for number, (description, unit, values) in enumerate(bands, start=1):
            image.write(values, number)
            image.set_band_description(number, description)
            image.set_band_unit(number, unit)
