"""Levels become a COG whose tiles are those of the levels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rio_cogeo import cog_validate

from shared.raster.levels import join_levels

TILED = {"tiled": True, "blockxsize": 64, "blockysize": 64, "interleave": "band", "bigtiff": "YES"}


def write(path: Path, values: NDArray[np.float32], options: Mapping[str, object], scale: float = 1) -> Path:
    profile = {"driver": "GTiff", "dtype": "float32", "nodata": math.nan, "crs": "EPSG:4326"} | dict(options)
    count, height, width = values.shape
    transform = rasterio.Affine(scale, 0, 20, 0, -scale, 50)
    with rasterio.open(path, "w", count=count, height=height, width=width, transform=transform, **profile) as image:
        image.write(values)
        image.update_tags(purpose="a test", TIFFTAG_COPYRIGHT="somebody")
        for band in range(1, count + 1):
            image.set_band_description(band, f"band {band}")
            image.set_band_unit(band, "m")
    return path


@pytest.mark.parametrize(
    "options",
    [{}, {"compress": "deflate"}, {"compress": "zstd", "predictor": 3, "num_threads": 2}, {"sparse_ok": True}],
    ids=["plain", "deflate", "zstd", "sparse"],
)
@pytest.mark.parametrize("shape", [(1, 50, 60), (3, 300, 401), (2, 64, 129)])
def test_levels_are_joined(shape: tuple[int, ...], options: dict[str, object], tmp_path: Path) -> None:
    values = np.random.default_rng(0).random(shape, np.float32)
    values[:, :65, :70] = np.nan
    factors = [f for f in (1, 2, 4) if max(shape) / f >= 64 or f == 1]
    levels = [
        write(tmp_path / f"{f}.tif", np.ascontiguousarray(values[:, ::f, ::f]), TILED | options, f) for f in factors
    ]
    path = tmp_path / "cog.tif"
    join_levels(path, levels)
    assert cog_validate(path, strict=True, quiet=True) == (True, [], [])
    with rasterio.open(path) as image:
        assert np.array_equal(image.read(), values, equal_nan=True)
        assert image.transform == rasterio.Affine(1, 0, 20, 0, -1, 50)
        assert (image.crs.to_epsg(), image.tags()["purpose"]) == (4326, "a test")
        assert image.tags()["TIFFTAG_COPYRIGHT"] == "somebody"
        assert set(image.units) == {"m"}
        assert image.descriptions[-1] == f"band {shape[0]}"
        assert image.overviews(1) == factors[1:]
        assert image.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    for level, factor in enumerate(factors[1:]):
        with rasterio.open(path, overview_level=level) as image:
            assert np.array_equal(image.read(), values[:, ::factor, ::factor], equal_nan=True)


def test_gdal_may_change_it(tmp_path: Path) -> None:
    """It then says of the file that it is no COG any more."""
    path = tmp_path / "cog.tif"
    join_levels(path, [write(tmp_path / "1.tif", np.ones((1, 200, 200), np.float32), TILED | {"compress": "lzw"})])
    changed = np.random.default_rng(0).random((200, 200), np.float32)
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as image:
        image.write(changed, 1)
    with rasterio.open(path) as image:
        assert np.array_equal(image.read(1), changed)
    assert b"KNOWN_INCOMPATIBLE_EDITION=YES\n" in path.read_bytes()[:300]


@pytest.mark.parametrize("change", [{"bigtiff": "NO"}, {"tiled": False}, {"endianness": "BIG"}])
def test_other_files_are_refused(change: dict[str, object], tmp_path: Path) -> None:
    level = write(tmp_path / "1.tif", np.ones((1, 200, 200), np.float32), TILED | change)
    with pytest.raises(ValueError, match=r"1\.tif"):
        join_levels(tmp_path / "cog.tif", [level])
