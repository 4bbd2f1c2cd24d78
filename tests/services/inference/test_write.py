"""The files of a map: overviews at any size, nodata left out, the same bytes for the same arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rio_cogeo import cog_validate

from services.inference.write import write_map
from shared.items.classes import PixelClass
from shared.raster.grid import Lattice

CLASSES = (
    PixelClass(0, "Not observed", nodata=True),
    PixelClass(1, "Water", "#00ccf2"),
    PixelClass(2, "Forest", "#00a600"),
    PixelClass(3, "Città", "#ff0000"),
)
ATTRIBUTION = "Contains modified Copernicus Sentinel data [2018]; © somebody"


def make(ny: int, nx: int) -> np.ndarray:
    blocks = np.random.default_rng(0).integers(0, 4, (ny // 8, nx // 8)).astype(np.uint8)
    return blocks.repeat(8, axis=0).repeat(8, axis=1)


def write(folder: Path, values: np.ndarray, confidence: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    lattice = Lattice("EPSG:32634", 700_020, 5_100_000, 10, values.shape)
    write_map(folder, values, confidence, lattice, CLASSES, title="title", attribution=ATTRIBUTION)


@pytest.mark.parametrize("shape", [(256, 256), (512, 256), (1024, 2560)])
def test_maps_are_valid_cogs_with_overviews(tmp_path: Path, shape: tuple[int, int]) -> None:
    values = make(*shape)
    write(tmp_path, values, values * 30)
    for name, written, nodata in (("land_cover.tif", values, 0), ("confidence.tif", values * 30, 255)):
        valid, errors, remarks = cog_validate(tmp_path / name, strict=True, quiet=True)
        assert valid, (errors, remarks)
        with rasterio.open(tmp_path / name) as image:
            assert image.overviews(1), "one level at least, at any size"
            assert image.nodata == nodata
            assert (image.read(1) == written).all()
            assert image.tags()["ATTRIBUTION"] == ATTRIBUTION
    with rasterio.open(tmp_path / "land_cover.tif") as image:
        assert image.tags(1)["CLASS_3"] == "Città"
        assert image.tags(1)["CLASS_0"] == "Not observed"
        assert image.colormap(1)[2] == (0, 0xA6, 0, 255)
    names = ["confidence.tif", "land_cover.tif", "land_cover.tif.aux.xml"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names


def test_overviews_of_confidence_leave_nodata_out(tmp_path: Path) -> None:
    confidence = np.full((512, 512), 80, np.uint8)
    confidence[::2] = 255
    write(tmp_path, make(512, 512), confidence)
    with rasterio.open(tmp_path / "confidence.tif", overview_level=0) as image:
        assert (image.read(1) == 80).all()


def test_the_same_arrays_give_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path / name, make(1024, 768), make(1024, 768))
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
