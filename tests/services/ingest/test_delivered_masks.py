"""Masks that others made, as deliveries: told by their names, taken where the area names their source."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio

from shared.area import Area
from shared.area.area import parse_area
from shared.stage import NewItem, RejectScene, RetryLater
from tests.catalogues import AREA

Run = Callable[..., NewItem]
PRODUCT = "S2A_MSIL2A_20180605T092031_N0509_R093_T34TGR_20180605T120000"


@pytest.fixture
def area() -> Area:
    return parse_area(AREA.model_dump(mode="json", by_alias=True) | {"masks": ["fmask", "s2cloudless", "own"]}, "test")


def write(path: Path, dtype: str = "uint8", count: int = 1, x: float = 729960, crs: str | None = "EPSG:32634") -> Path:
    given = {} if crs is None else {"crs": crs, "transform": rasterio.Affine(20, 0, x, 0, -20, 5090040)}
    with rasterio.open(path, "w", "GTiff", 90, 60, count, dtype=dtype, **given) as file:
        file.write(np.zeros((count, 60, 90), dtype))
    return path


@pytest.mark.parametrize("name", [f"{PRODUCT}.mask.fmask.tif", f"{PRODUCT}.SAFE.mask.Fmask.TIF"])
def test_a_mask(name: str, ingest: Run, tmp_path: Path) -> None:
    path = write(tmp_path / name)
    item = ingest(path)
    p = item.properties
    assert (item.collection, item.product, item.week) == ("delivered-masks", f"{PRODUCT}.mask.fmask", "2018-W23")
    assert (p["landstream:product"], p["landstream:mask_source"]) == (PRODUCT, "fmask")
    assert item.assets["mask"].path.read_bytes() == path.read_bytes()


def test_a_probability_may_be_a_float(ingest: Run, tmp_path: Path) -> None:
    assert ingest(write(tmp_path / f"{PRODUCT}.mask.s2cloudless.tif", "float32")).product.endswith(".mask.s2cloudless")


@pytest.mark.parametrize(
    ("source", "made", "why"),
    [
        ("maja", {}, r"is a mask of maja, and the area's `masks:` name own, fmask, s2cloudless; add maja"),
        ("fmask", {"count": 2}, "has 2 bands of uint8"),
        ("fmask", {"dtype": "float32"}, "has 1 bands of float32"),
        ("fmask", {"crs": None}, "has no georeference"),
        ("fmask", {"x": 300000}, "outside|beside|does not"),
    ],
)
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_what_is_refused(source: str, made: dict[str, object], why: str, ingest: Run, tmp_path: Path) -> None:
    with pytest.raises(RejectScene, match=why):
        ingest(write(tmp_path / f"{PRODUCT}.mask.{source}.tif", **made))  # type: ignore[arg-type]


def test_a_mask_in_a_zip_or_a_folder(ingest: Run, tmp_path: Path) -> None:
    """It is no raster of labels, although its values are those of classes, too."""
    folder = tmp_path / "masks"
    folder.mkdir()
    path = write(folder / f"{PRODUCT}.mask.fmask.tif")
    with zipfile.ZipFile(tmp_path / f"{PRODUCT}.mask.fmask.zip", "w") as archive:
        archive.write(path, f"out/{path.name}")
    for unit in (tmp_path / f"{PRODUCT}.mask.fmask.zip", folder):
        assert ingest(unit).product == f"{PRODUCT}.mask.fmask"
    with pytest.raises(RetryLater):
        ingest(folder, patience_s=60)
    write(folder / f"{PRODUCT}.mask.s2cloudless.tif")
    with pytest.raises(RejectScene, match="masks: holds 2 masks; deliver each as a file of its own"):
        ingest(folder)


@pytest.mark.parametrize("product", ["berlin", PRODUCT.lower(), PRODUCT.replace("S2A_MSIL2A", "S3A_OL_1_EFR")])
def test_a_mask_of_what_is_no_product_is_no_labels(product: str, ingest: Run, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    path = write(tmp_path / "masks" / f"{product}.mask.fmask.tif")
    for unit in (path, path.parent):
        with pytest.raises(RejectScene, match="is called a mask, and not of a Sentinel-2 product"):
            ingest(unit)


def test_labels_beside_a_mask(ingest: Run, tmp_path: Path) -> None:
    folder = tmp_path / "both"
    folder.mkdir()
    write(folder / f"{PRODUCT}.mask.fmask.tif")
    labels = write(folder / "clc.tif")
    assert ingest(folder).assets["classes"].path.read_bytes() == labels.read_bytes()


@pytest.mark.parametrize(
    "name", ["T34TGR_20180605T092031_SCL_20m.tif", "SCL.tif", "L2A_T34TGR_20180605T092031_B02_10m.TIF"]
)
def test_an_image_of_a_product_is_no_labels(name: str, ingest: Run, tmp_path: Path) -> None:
    folder = tmp_path / "R20m"
    folder.mkdir()
    with pytest.raises(RejectScene, match="is one image of a product"):
        ingest(write(folder / name))
    with pytest.raises(RejectScene, match="R20m: is not a product"):
        ingest(folder)


def test_what_lies_beside_a_product_in_its_zip_is_named(ingest: Run, scene: Path, tmp_path: Path) -> None:
    mask = write(tmp_path / f"{PRODUCT}.mask.fmask.tif")
    with zipfile.ZipFile(tmp_path / f"{scene.name}.zip", "w") as archive:
        for file in (*scene.rglob("*"), mask):
            archive.write(file, file.relative_to(tmp_path))
    item = ingest(tmp_path / f"{scene.name}.zip")
    assert item.properties["landstream:left_out"] == [mask.name]
