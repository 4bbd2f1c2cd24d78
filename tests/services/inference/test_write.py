"""The files of a map: valid COGs with overviews, colours, names and attribution; the same bytes for the same arrays."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rio_cogeo import cog_validate

from services.inference.write import write_classes, write_confidence, write_quicklook

CLASSES = {1: ("Water", "#00ccf2"), 2: ("Forest", "#00a600"), 3: ("Città", "#ff0000")}
TRANSFORM = (10.0, 0.0, 700020.0, 0.0, -10.0, 5100000.0)
ATTRIBUTION = "Contains modified Copernicus Sentinel data [2018]; © somebody"


def make(ny: int, nx: int) -> np.ndarray:
    blocks = np.random.default_rng(0).integers(0, 4, (ny // 8, nx // 8)).astype(np.uint8)
    return blocks.repeat(8, axis=0).repeat(8, axis=1)


@pytest.mark.parametrize("shape", [(256, 256), (512, 256), (1024, 2560)])
def test_maps_are_valid_cogs_with_overviews(tmp_path: Path, shape: tuple[int, int]) -> None:
    values = make(*shape)
    write_classes(tmp_path / "c.tif", values, "EPSG:32634", TRANSFORM, CLASSES, ATTRIBUTION)
    write_confidence(tmp_path / "p.tif", values * 30, "EPSG:32634", TRANSFORM, ATTRIBUTION)
    for name in ("c.tif", "p.tif"):
        valid, errors, remarks = cog_validate(tmp_path / name, strict=True, quiet=True)
        assert valid, (errors, remarks)
        with rasterio.open(tmp_path / name) as image:
            assert image.overviews(1), "one level at least, at any size"
            assert image.crs.to_epsg() == 32634
            assert tuple(image.transform)[:6] == TRANSFORM
            assert image.tags()["TIFFTAG_COPYRIGHT"].startswith("Contains modified Copernicus Sentinel data [2018]")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.tif", "p.tif"], "no side files"


def test_classes_carry_colours_and_names(tmp_path: Path) -> None:
    values = make(512, 512)
    write_classes(tmp_path / "c.tif", values, "EPSG:32634", TRANSFORM, CLASSES, ATTRIBUTION)
    with rasterio.open(tmp_path / "c.tif") as image:
        assert image.nodata == 0
        assert image.colormap(1)[2] == (0, 0xA6, 0, 255)
        assert image.tags(1)["CLASS_3"] == "Città"
        assert image.tags(1)["CLASS_0"] == "not observed"
        assert (image.read(1) == values).all()
        overview = image.read(1, out_shape=(64, 64))
    assert set(np.unique(overview)) <= set(np.unique(values)), "overviews are modes, not means"


def test_overviews_of_confidence_leave_nodata_out(tmp_path: Path) -> None:
    values = np.full((512, 512), 80, np.uint8)
    values[::2] = 255
    write_confidence(tmp_path / "p.tif", values, "EPSG:32634", TRANSFORM, ATTRIBUTION)
    with rasterio.open(tmp_path / "p.tif", overview_level=0) as image:
        assert (image.read(1) == 80).all()


def test_the_same_arrays_give_the_same_bytes(tmp_path: Path) -> None:
    values = make(1024, 768)
    for name in "ab":
        write_classes(tmp_path / f"{name}.tif", values, "EPSG:32634", TRANSFORM, CLASSES, ATTRIBUTION)
        write_quicklook(tmp_path / f"{name}.png", values, CLASSES, "title", ATTRIBUTION)
    for suffix in ("tif", "png"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_a_quicklook_of_an_empty_map_is_drawn(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_quicklook(tmp_path / "q.png", np.zeros((256, 512), np.uint8), CLASSES, "empty", ATTRIBUTION)
    assert (tmp_path / "q.png").read_bytes()[:4] == b"\x89PNG"
