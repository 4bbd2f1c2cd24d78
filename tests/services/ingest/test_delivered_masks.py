"""Masks that others made, as deliveries: told by their names, taken where the area names their source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio

from shared.area import Area
from shared.area.area import parse_area
from shared.stage import NewItem, RejectScene
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
