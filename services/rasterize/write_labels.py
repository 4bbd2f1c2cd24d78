"""Writes the class raster as a cloud-optimised GeoTIFF that explains itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.transform import Affine
from rasterio.windows import Window

from shared.area import LabelScheme
from shared.geo import Grid

PIXEL_M = 10
CACHE_BYTES = 256 << 20
"""GDAL's cache of blocks; its default, a share of the machine's memory, is not ours to take."""


def stac_classes(scheme: LabelScheme) -> list[dict[str, object]]:
    """The scheme as `classification:classes`; value 0 is unlabelled."""
    classes: list[dict[str, object]] = [{"value": 0, "name": "unlabelled", "description": "Unlabelled", "nodata": True}]
    for value, c in scheme.values.items():
        name = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in c.code.lower())
        classes.append(
            {"value": value, "name": name, "title": c.name, "description": c.name, "color_hint": c.color[1:].upper()}
        )
    return classes


def write_labels(
    path: Path,
    strips: Iterable[tuple[int, NDArray[np.uint8]]],
    grid: Grid,
    scheme: LabelScheme,
    tags: Mapping[str, str],
) -> NDArray[np.int64]:
    """Write the raster strip by strip.

    Args:
        path: the file to make.
        strips: (first row, uint8 (y, x)) from the north.
        grid: the area's grid.
        scheme: label scheme, for colours and names.
        tags: TIFF tags.

    Returns:
        Pixels of each value, int64 (256,).
    """
    scratch = path.with_suffix(".scratch.tif")
    ny, nx = grid.shape_px(PIXEL_M)
    counts = np.zeros(256, np.int64)
    options = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "bigtiff": "IF_SAFER"}
    with (
        rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES),
        rasterio.open(
            scratch,
            "w",
            driver="GTiff",
            dtype="uint8",
            count=1,
            height=ny,
            width=nx,
            nodata=0,
            crs=grid.crs,
            transform=Affine(*grid.transform(PIXEL_M)),
            **options,
        ) as image,
    ):
        for top, strip in strips:
            image.write(strip, 1, window=Window(0, top, nx, len(strip)))
            counts += np.bincount(strip.ravel(), minlength=256)
        image.set_band_description(1, "class")
        image.write_colormap(1, {0: (0, 0, 0, 0)} | {v: (*_rgb(c.color), 255) for v, c in scheme.values.items()})
        image.update_tags(**tags)
        names = ["Unlabelled", *(c.name for c in scheme.values.values())]
        # A GeoTIFF keeps GDAL's category names only in a sidecar, which a content-named artifact cannot have.
        image.update_tags(1, CATEGORY_NAMES=json.dumps(names), CLASSIFICATION_CLASSES=json.dumps(stac_classes(scheme)))
    cog = {"COMPRESS": "DEFLATE", "BLOCKSIZE": "512", "OVERVIEW_RESAMPLING": "MODE", "BIGTIFF": "IF_SAFER"}
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES):
        rasterio.shutil.copy(scratch, path, driver="COG", **cog)
    scratch.unlink()
    return counts


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
