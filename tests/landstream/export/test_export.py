"""`landstream export` as people use it: what lies in the folder opens in other programs, wherever it is moved."""

from __future__ import annotations

import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pystac
import pytest
import rasterio
from rio_cogeo import cog_validate

from shared.area import load_area
from shared.items.totals import aoi_hectares
from tests.conftest import AREAS, landstream


@pytest.fixture(scope="module")
def exported(mapped: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The newest week, in a folder that was moved since."""
    made, moved = tmp_path_factory.mktemp("export") / "made", tmp_path_factory.mktemp("moved") / "maps"
    told = landstream("export", "--latest", "--out", made, "--store", mapped).stdout.splitlines()
    assert sorted(told) == sorted(str(path) for path in made.iterdir())
    shutil.move(made, moved)
    return moved


def week_in(folder: Path) -> str:
    (item,) = folder.glob("small_2018-W??.json")
    return item.stem.removeprefix("small_")


def test_plain_names(exported: Path) -> None:
    week = week_in(exported)
    assert sorted(path.name for path in exported.iterdir()) == sorted(
        [
            f"small_{week}_land-cover.tif",
            f"small_{week}_land-cover.tif.aux.xml",
            f"small_{week}_land-cover.qml",
            f"small_{week}_confidence.tif",
            f"small_{week}_confidence.qml",
            f"small_{week}_true-colour.tif",
            f"small_{week}.json",
            "small_2018_land-cover.vrt",
            "small_catalog.json",
        ]
    )


def test_rasters_are_cogs_that_say_what_they_are(exported: Path) -> None:
    start = f"small_{week_in(exported)}"
    for name, nodata in (("land-cover", 0), ("confidence", 255), ("true-colour", 0)):
        path = exported / f"{start}_{name}.tif"
        valid, errors, remarks = cog_validate(path, strict=True, quiet=True)
        assert valid, (errors, remarks)
        with rasterio.open(path) as image:
            assert image.nodata == nodata
            assert "Copernicus" in image.tags()["ATTRIBUTION"]
            assert image.shape == (924, 964), "the AOI's box, less than the grid's 1,024 pixels"
            corner = image.read(1, window=((0, 10), (0, 10)))
            assert (corner == nodata).all(), "the corners of a box of degrees lie outside"
    with rasterio.open(exported / f"{start}_true-colour.tif") as image:
        assert [c.name for c in image.colorinterp] == ["red", "green", "blue"]
        seen = image.read().any(axis=0)
    with rasterio.open(exported / f"{start}_land-cover.tif") as image:
        assert image.colormap(1)[1] == (230, 0, 77, 255)
        assert image.tags(1)["CLASS_1"] == "Artificial surfaces"
        assert ((image.read(1) > 0) == seen).all(), "the map and the picture show the same land"


def test_styles_name_and_colour_the_classes(exported: Path) -> None:
    start = f"small_{week_in(exported)}"
    entries = list(ElementTree.parse(exported / f"{start}_land-cover.qml").iter("paletteEntry"))
    area = load_area(AREAS / "small.yaml")
    assert [(e.get("value"), e.get("label"), e.get("color")) for e in entries] == [
        (str(v), c.name, c.color) for v, c in area.labels.values.items()
    ]
    names = [e.text for e in ElementTree.parse(exported / f"{start}_land-cover.tif.aux.xml").iter("Category")]
    assert names == ["Not observed", *(c.name for c in area.labels.classes)]
    ramp = list(ElementTree.parse(exported / f"{start}_confidence.qml").iter("item"))
    assert (ramp[0].get("value"), ramp[-1].get("value")) == ("0", "100")


def test_the_year_is_one_raster(exported: Path) -> None:
    week = week_in(exported)
    with (
        rasterio.open(exported / "small_2018_land-cover.vrt") as year,
        rasterio.open(exported / f"small_{week}_land-cover.tif") as image,
    ):
        assert year.descriptions == (week,)
        assert (year.crs, year.transform) == (image.crs, image.transform)
        assert year.nodata == 0
        assert (year.read(1) == image.read(1)).all()
        assert year.colormap(1)[2] == image.colormap(1)[2]


def test_items_work_where_they_lie(exported: Path) -> None:
    catalogue = pystac.Catalog.from_file(str(exported / "small_catalog.json"))
    (item,) = catalogue.get_items()
    for asset in item.assets.values():
        assert asset.href.startswith("./")
        assert Path(asset.get_absolute_href()).is_file()
    properties = item.properties
    with rasterio.open(exported / f"small_{week_in(exported)}_land-cover.tif") as image:
        values = image.read(1)
    counts = np.bincount(values.ravel(), minlength=6)
    assert [c["pixels"] for c in properties["landstream:classes"].values()] == counts[1:].tolist()
    assert properties["landstream:observed_ha"] == round(int(counts[1:].sum()) / 100, 2)
    assert properties["landstream:aoi_ha"] == pytest.approx(aoi_hectares(load_area(AREAS / "small.yaml")), rel=1e-3)
    assert properties["landstream:inputs"]


def test_what_is_there_is_left_alone_unless_told_otherwise(mapped: Path, exported: Path, tmp_path: Path) -> None:
    folder = tmp_path / "maps"
    shutil.copytree(exported, folder)
    style = next(folder.glob("*land-cover.qml"))
    style.write_text("mine")
    asked = ("export", "--week", week_in(folder), "--out", folder, "--store", mapped)
    refused = landstream(*asked, check=False)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "--overwrite" in refused.stderr
    assert style.read_text() == "mine"
    landstream(*asked, "--overwrite")
    assert style.read_text() != "mine"
    assert not list(folder.glob(".export*"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--week", "2018-W01"], "there are maps of 2018-W"),
        ([], "--week 2018-W26 or --latest"),
        (["--week", "2018-W01", "--latest"], "--week 2018-W26 or --latest"),
    ],
)
def test_mistakes_are_told_in_one_line(mapped: Path, tmp_path: Path, options: list[str], said: str) -> None:
    result = landstream("export", *options, "--out", tmp_path / "x", "--store", mapped, check=False)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert said in result.stderr
    assert not (tmp_path / "x").exists()


def test_a_folder_that_cannot_be_made(mapped: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = landstream("export", "--latest", "--out", tmp_path / "file", "--store", mapped, check=False)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert str(tmp_path / "file") in result.stderr


def test_where_the_model_applies_on_request(mapped: Path, tmp_path: Path) -> None:
    told = landstream("export", "--latest", "--applicability", "--out", tmp_path, "--store", mapped).stdout.splitlines()
    start = f"small_{week_in(tmp_path)}"
    assert {f"{tmp_path}/{start}_applicability.tif", f"{tmp_path}/{start}_applicability.qml"} <= set(told)
    with (
        rasterio.open(tmp_path / f"{start}_applicability.tif") as image,
        rasterio.open(tmp_path / f"{start}_land-cover.tif") as land_cover,
    ):
        assert (image.nodata, image.transform, image.shape) == (255, land_cover.transform, land_cover.shape)
        unlike, mapped_px = image.read(1), land_cover.read(1) > 0
    assert (unlike[mapped_px] != 255).all()
    assert (unlike[mapped_px] <= 100).mean() > 0.5, "it is the area that the model learned from"
    assert "applicability" in pystac.Item.from_file(str(tmp_path / f"{start}.json")).assets
