"""Writes lattice rasters as cloud-optimised GeoTIFFs, one band in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.transform import Affine

from services.reprojection.lattice import Window

Band = tuple[str, str, NDArray[Any]]
"""(description, unit, values (y, x))."""

BLOCK_PX = 256

GDAL_OPTIONS = {
    "GDAL_CACHEMAX": 256 << 20,
    # ^ bytes; the default is a share of the machine's memory, which is not ours to take
    "INTERLEAVE_OVERVIEW": "BAND",
    "GDAL_TIFF_OVR_BLOCKSIZE": str(BLOCK_PX),
    "BIGTIFF_OVERVIEW": "YES",
}

COG_OPTIONS = {
    "COMPRESS": "DEFLATE",
    "LEVEL": "1",
    # ^ radiances hold much noise: higher levels cost ten times as much for a few percent
    "PREDICTOR": "NO",
    # ^ radiances are multiples of a scale factor: as they are they repeat, their differences do not
    "BLOCKSIZE": str(BLOCK_PX),
    "OVERVIEW_RESAMPLING": "NEAREST",
    "BIGTIFF": "YES",
    "NUM_THREADS": "2",
}


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
    with rasterio.Env(**GDAL_OPTIONS):
        _write(scratch, bands, count, dtype, nodata, window, tags)
        # Overviews of the uncompressed scratch file: left to the COG driver they take twice the time of all the rest.
        factors = [2**n for n in range(1, 12) if max(window.rows, window.cols) / 2**n >= BLOCK_PX]
        with rasterio.open(scratch, "r+", driver="GTiff") as image:
            image.build_overviews(factors, Resampling.nearest)
        rasterio.shutil.copy(scratch, path, driver="COG", **COG_OPTIONS)
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
        blockxsize=BLOCK_PX,
        blockysize=BLOCK_PX,
        interleave="band",
        bigtiff="YES",
    ) as image:
        image.update_tags(**tags)
        for number, (description, unit, values) in enumerate(bands, start=1):
            image.write(values, number)
            image.set_band_description(number, description)
            image.set_band_unit(number, unit)
