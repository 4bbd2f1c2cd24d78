"""Writes the mask as a cloud-optimised GeoTIFF that explains itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.transform import Affine

from services.cloudmask.mask import CLASSES

BLOCK_PX = 512


def stac_classes() -> list[dict[str, object]]:
    """The codes as `classification:classes`."""
    return [
        {"value": code, "name": name, "description": description, "color_hint": color, "nodata": code == 0}
        for code, name, description, color in CLASSES
    ]


def write_mask(
    path: Path,
    codes: NDArray[np.uint8],
    clear: NDArray[np.uint8],
    crs: str,
    transform: Sequence[float],
    tags: Mapping[str, str],
) -> None:
    """Write both bands.

    Args:
        path: the file to make.
        codes: uint8 (y, x), nodata 0.
        clear: uint8 (y, x), 0 or 1.
        crs: `EPSG:n`.
        transform: (a, b, c, d, e, f).
        tags: TIFF tags.
    """
    scratch = path.with_suffix(".scratch.tif")
    ny, nx = codes.shape
    with (
        rasterio.Env(GDAL_CACHEMAX=256 << 20),
        rasterio.open(
            scratch,
            "w",
            driver="GTiff",
            dtype="uint8",
            count=2,
            height=ny,
            width=nx,
            crs=crs,
            transform=Affine(*transform),
        ) as image,
    ):
        image.write(codes, 1)
        image.write(clear, 2)
        image.set_band_description(1, "code")
        image.set_band_description(2, "clear")
        image.update_tags(**tags)
        # GDAL splits a tag's name at a colon, so `classification:classes` cannot be one.
        image.update_tags(1, CLASSIFICATION_CLASSES=json.dumps(stac_classes()))
        image.update_tags(2, CLASSIFICATION_CLASSES='[{"value": 0, "name": "unclear"}, {"value": 1, "name": "clear"}]')
    options = {"COMPRESS": "DEFLATE", "BLOCKSIZE": str(BLOCK_PX), "OVERVIEW_RESAMPLING": "MODE"}
    rasterio.shutil.copy(scratch, path, driver="COG", **options)
    scratch.unlink()
