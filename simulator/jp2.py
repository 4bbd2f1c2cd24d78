"""JPEG 2000 as ESA writes it: lossless 5/3, 15 bits, ESA's internal tiles, georeferenced by GML alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio import Affine

_TILE_PX = {10: 1024, 20: 640, 60: 192}


def write_jp2(
    path: Path,
    image: NDArray[np.uint16] | NDArray[np.uint8],
    epsg: int,
    ulx_m: float,
    uly_m: float,
    pixel_m: float,
) -> None:
    """Write one image.

    Args:
        path: File to create.
        image: (y, x) or (band, y, x); uint16 is stored with 15 bits, so values must not exceed 32767.
        epsg: CRS.
        ulx_m: Outer upper left corner.
        uly_m: Outer upper left corner.
        pixel_m: Pixel size; 10, 20 and 60 take ESA's tile sizes.

    Raises:
        ValueError: A value does not fit into 15 bits (GDAL would clip it silently).
    """
    bands = image[np.newaxis] if image.ndim == 2 else image
    _, rows, columns = bands.shape
    tile_px = min(_TILE_PX.get(int(pixel_m), 1024), max(rows, columns, 64))
    options: dict[str, object] = {
        # Both are needed: either alone is lossy.
        "QUALITY": "100",
        "REVERSIBLE": "YES",
        "BLOCKXSIZE": tile_px,
        "BLOCKYSIZE": tile_px,
        "RESOLUTIONS": 5,
        "GeoJP2": "NO",
        "PROFILE": "UNRESTRICTED",
    }
    if bands.dtype == np.uint16:
        if bands.size and int(bands.max()) > 32767:
            raise ValueError(f"{path.name}: {int(bands.max())} does not fit into 15 bits")
        options["NBITS"] = 15
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="JP2OpenJPEG",
        width=columns,
        height=rows,
        count=bands.shape[0],
        dtype=bands.dtype,
        crs=f"EPSG:{epsg}",
        transform=Affine(pixel_m, 0, ulx_m, 0, -pixel_m, uly_m),
        # Without it rasterio drops the block sizes.
        tiled=True,
        **options,
    ) as target:
        target.write(bands)
