"""The writer of COGs: valid at any size, whatever the strips; GDAL reads class names from the sidecar."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rio_cogeo import cog_validate

from shared.area.scheme import preset
from shared.items.classes import CLEAR_CLASSES, MASK_CLASSES, NOT_OBSERVED, classes_of
from shared.raster.cog import NOISY, Band, Encoding, Strip, write_cog, write_sidecar
from shared.raster.grid import Lattice

SCHEME = classes_of(preset("clc-level1"), NOT_OBSERVED)
ATTRIBUTION = "Contains modified Copernicus Sentinel data [2018]; © somebody"
write = partial(write_cog, title="A title", attribution=ATTRIBUTION)


def lattice_of(values: NDArray[np.generic]) -> Lattice:
    return Lattice("EPSG:32634", 700_020, 5_100_000, 10, (values.shape[0], values.shape[1]))


def blocks(ny: int, nx: int, count: int) -> NDArray[np.uint8]:
    values = np.random.default_rng(0).integers(0, count, (-(-ny // 8), -(-nx // 8))).astype(np.uint8)
    return values.repeat(8, axis=0).repeat(8, axis=1)[:ny, :nx]


@pytest.mark.parametrize("shape", [(60, 90), (512, 256), (1400, 1100)])
def test_strips_do_not_show(tmp_path: Path, shape: tuple[int, int]) -> None:
    values = blocks(*shape, 6)
    encoding = Encoding("uint8", 0, "mode", least_overviews=1)
    for rows in (shape[0], 37):
        strips = [Strip(values[top : top + rows], top) for top in range(0, shape[0], rows)]
        path = tmp_path / f"{rows}.tif"
        write(path, lattice_of(values), [Band("class", classes=SCHEME)], strips, encoding)
        valid, errors, remarks = cog_validate(path, strict=True, quiet=True)
        assert valid, (errors, remarks)
        with rasterio.open(path) as image:
            assert np.array_equal(image.read(1), values)
            assert image.overviews(1)
            assert image.tags()["ATTRIBUTION"] == ATTRIBUTION
            assert image.tags()["TIFFTAG_COPYRIGHT"].isascii()
            assert image.tags()["TIFFTAG_IMAGEDESCRIPTION"] == "A title"
            assert image.tags(1)["CLASS_2"] == "Agricultural areas"
            assert image.colormap(1)[1] == (0xE6, 0x00, 0x4D, 255)
            overview = image.read(1, out_shape=(shape[0] // 2, shape[1] // 2))
        assert set(np.unique(overview)) <= set(np.unique(values)), "overviews are modes, not means"
    assert (tmp_path / f"{shape[0]}.tif").read_bytes() == (tmp_path / "37.tif").read_bytes()
    assert {p.suffix for p in tmp_path.iterdir()} == {".tif"}, "no side files"


def test_bands_that_come_one_after_the_other(tmp_path: Path) -> None:
    values = np.random.default_rng(1).random((3, 300, 700)).astype(np.float32)
    values[:, :40] = np.nan
    path = tmp_path / "radiance.tif"
    encoding = Encoding("float32", math.nan, "nearest", block_px=256, options=NOISY)
    strips = (Strip(v, band=number, unit="mW") for number, v in enumerate(values, start=1))
    bands = [Band(f"Oa{n:02d}") for n in (1, 2, 3)]
    write(path, lattice_of(values[0]), bands, strips, encoding, tags={"meaning": "x"})
    assert cog_validate(path, strict=True, quiet=True)[0]
    with rasterio.open(path) as image:
        assert np.array_equal(image.read(), values, equal_nan=True)
        assert (image.descriptions, set(image.units)) == (("Oa01", "Oa02", "Oa03"), {"mW"})
        assert np.isnan(image.nodata)
        assert image.tags()["meaning"] == "x"
        assert image.overviews(1) == [2]
    with rasterio.open(path, overview_level=0) as image:
        assert np.array_equal(image.read(), values[:, ::2, ::2], equal_nan=True)


def test_strips_of_any_height_give_the_same_bytes(tmp_path: Path) -> None:
    values = blocks(700, 1100, 200).astype(np.uint16)
    files = []
    for rows in (700, 37, 256):
        strips = [Strip(values[top : top + rows], top) for top in range(0, 700, rows)]
        path = tmp_path / f"{rows}.tif"
        write(path, lattice_of(values), [Band("B04")], strips, Encoding("uint16", 0, "nearest", block_px=256))
        files.append(path.read_bytes())
        assert cog_validate(path, strict=True, quiet=True)[0]
        for level in (0, 1):
            with rasterio.open(path, overview_level=level) as image:
                assert np.array_equal(image.read(1), values[:: 2 << level, :: 2 << level])
    assert files[0] == files[1] == files[2]


def category_names(path: Path) -> dict[int, list[str]]:
    """The category names of each band, as GDAL itself reads them: rasterio has no call, a VRT repeats them."""
    copy = path.with_suffix(".vrt")
    rasterio.shutil.copy(path, copy, driver="VRT")
    bands = ElementTree.parse(copy).getroot().findall("VRTRasterBand")
    return {int(b.attrib["band"]): [c.text or "" for c in b.findall("CategoryNames/Category")] for b in bands}


def test_gdal_reads_class_names_from_the_sidecar(tmp_path: Path) -> None:
    values, path = blocks(300, 300, 6), tmp_path / "land_cover.tif"
    bands = [Band("land cover", classes=SCHEME)]
    write(path, lattice_of(values), bands, [Strip(values)], Encoding("uint8", 0, "mode"))
    with rasterio.open(path) as image:
        alone = image.profile, image.colormap(1), image.tags(1)
    assert category_names(path) == {1: []}
    assert write_sidecar(path, bands) == tmp_path / "land_cover.tif.aux.xml"
    assert category_names(path) == {1: [c.title for c in SCHEME]}
    with rasterio.open(path) as image:
        assert (image.profile, image.colormap(1), image.tags(1)) == alone, "the sidecar contradicts nothing"
        assert np.array_equal(image.read(1), values)


def test_colours_of_a_mask_come_from_the_sidecar(tmp_path: Path) -> None:
    codes, clear, path = blocks(80, 90, 5), blocks(80, 90, 2), tmp_path / "mask.tif"
    bands = [Band("code", classes=MASK_CLASSES), Band("clear", classes=CLEAR_CLASSES)]
    strips = [Strip(codes), Strip(clear, band=2)]
    write(path, lattice_of(codes), bands, strips, Encoding("uint8", None, "mode"))
    write_sidecar(path, bands)
    assert category_names(path) == {n: [c.title for c in b.classes] for n, b in enumerate(bands, start=1)}
    with rasterio.open(path) as image:
        assert image.colormap(1)[2] == (255, 255, 255, 255)
        assert not image.read(1, masked=True).mask.any(), "no band masks another"
