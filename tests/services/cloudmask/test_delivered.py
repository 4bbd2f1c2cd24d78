"""Masks that others made: which is current, in whatever order they arrive, and what their pixels become."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from landstream.digest import content_lines, digest_lines
from landstream.workspace import bind
from services.cloudmask.choose import source_of, values_digest
from services.cloudmask.read_delivered import read_delivered
from services.cloudmask.stage import CloudmaskSettings, plan
from shared.area import Area
from shared.area.area import AreaError, parse_area
from shared.area.masks import KNOWN, MaskSource
from shared.items.item import Item
from shared.process.command_line import do_what_is_due
from shared.raster.grid import Lattice
from shared.run.context import Context
from shared.run.deliver import deliver
from shared.stage import RejectScene
from shared.store import FolderStore
from tests.catalogues import AREA, catalogue_of, item, make, scene
from tests.landstream.cubes import write_products

SCENE = Lattice("EPSG:32634", 600000.0, 5100000.0, 20.0, (90, 120))


def with_masks(*masks: object) -> Area:
    return parse_area(AREA.model_dump(mode="json", by_alias=True) | {"masks": list(masks)}, "test")


def write(path: Path, values: np.ndarray, crs: str = "EPSG:32634", nodata: float | None = None, **more: Any) -> Path:
    x, y = Transformer.from_crs(SCENE.crs, crs, always_xy=True).transform(601000, 5099000)
    ny, nx = values.shape
    pixel = more.get("pixel", 20.0)
    corner = rasterio.Affine(pixel, 0, round(x) - nx / 2 * pixel, 0, -pixel, round(y) + ny / 2 * pixel)
    with rasterio.open(
        path, "w", "GTiff", nx, ny, 1, crs=crs, transform=corner, dtype=values.dtype, nodata=nodata
    ) as file:
        file.write(values, 1)
    return path


@pytest.mark.parametrize(("crs", "pixel"), [("EPSG:32634", 20.0), ("EPSG:32634", 60.0), ("EPSG:32635", 10.0)])
def test_each_centre_takes_the_pixel_it_lies_in(crs: str, pixel: float, tmp_path: Path) -> None:
    values = np.random.default_rng(1).choice(np.array([0, 1, 2, 3, 4, 255], np.uint8), (70, 80))
    path = write(tmp_path / "mask.tif", values, crs, pixel=pixel)
    with rasterio.open(path) as file:
        t = file.transform
    ny, nx = SCENE.shape
    x, y = np.meshgrid(SCENE.x + 20 * (np.arange(nx) + 0.5), SCENE.y - 20 * (np.arange(ny) + 0.5))
    sx, sy = Transformer.from_crs(SCENE.crs, crs, always_xy=True).transform(x, y)
    col, row = np.floor((sx - t.c) / t.a).astype(int), np.floor((sy - t.f) / t.e).astype(int)
    inside = (col >= 0) & (row >= 0) & (col < 80) & (row < 70)
    delivered = np.where(inside, values[row.clip(0, 69), col.clip(0, 79)], 255)
    expected = np.vectorize({0: 1, 1: 1, 2: 3, 3: 4, 4: 2, 255: 0}.get)(delivered)
    assert np.array_equal(read_delivered(path, KNOWN["fmask"], SCENE), expected)


def test_a_probability(tmp_path: Path) -> None:
    values = np.array([[0.1, 0.9], [np.nan, 0.4]], np.float32).repeat(100, axis=0).repeat(100, axis=1)
    codes = read_delivered(write(tmp_path / "p.tif", values), MaskSource(source="p", cloud_above=0.4), SCENE)
    assert set(np.unique(codes)) == {0, 1, 2}
    percent = write(tmp_path / "percent.tif", np.full((200, 200), 41, np.uint8))
    assert (read_delivered(percent, KNOWN["s2cloudless"], SCENE) == 2).all()


def test_a_probability_with_nodata_of_its_own(tmp_path: Path) -> None:
    path = write(tmp_path / "p.tif", np.array([[41, 255], [3, 41]], np.uint8).repeat(100, axis=0).repeat(100, axis=1))
    codes = read_delivered(path, MaskSource(source="p", cloud_above=40, nodata=(255,)), SCENE)
    assert set(np.unique(codes)) == {0, 1, 2}


def test_a_share_where_percent_are_read(tmp_path: Path) -> None:
    """All of it would be clear: s2cloudless's own probabilities end at 1."""
    path = write(tmp_path / "p.tif", np.full((200, 200), 0.97, np.float32))
    with pytest.raises(RejectScene, match=r"no probability above 0\.97, and s2cloudless is read as cloud above 40"):
        read_delivered(path, KNOWN["s2cloudless"], SCENE)
    assert (
        read_delivered(write(tmp_path / "0.tif", np.zeros((200, 200), np.float32)), KNOWN["s2cloudless"], SCENE) == 1
    ).all()
    assert (
        read_delivered(write(tmp_path / "1.tif", np.ones((200, 200), np.uint8)), KNOWN["s2cloudless"], SCENE) == 1
    ).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_flags(dtype: type[np.unsignedinteger[Any]], tmp_path: Path) -> None:
    """Clear, thin cloud alone, cloud with its shadow, shadow, high cloud, and what the file says is no data."""
    values = np.array([[0, 0b0001_0000, 0b0010_0010], [0b0100_0001, 0b1000_0000, 0xFF]], dtype)
    path = write(tmp_path / "flags.tif", values.repeat(60, axis=0).repeat(50, axis=1), nodata=255)
    codes = read_delivered(path, KNOWN["maja"], SCENE)
    assert np.array_equal(np.unique(codes), [0, 1, 2, 3])
    plain = np.array([[1, 1, 2], [3, 2, 0]], np.uint8).repeat(60, axis=0).repeat(50, axis=1)
    same = write(tmp_path / "codes.tif", plain)
    by_value = MaskSource(source="plain", clear=(1,), cloud=(2,), shadow=(3,), nodata=(0,))
    assert np.array_equal(codes, read_delivered(same, by_value, SCENE))


def test_nodata_of_the_file_is_not_observed(tmp_path: Path) -> None:
    path = write(tmp_path / "mask.tif", np.full((200, 200), 7, np.uint8), nodata=7)
    assert not read_delivered(path, KNOWN["fmask"], SCENE).any()


def test_a_value_without_a_meaning_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "mask.tif", np.full((200, 200), 9, np.uint8))
    with pytest.raises(RejectScene, match=r"mask\.tif: has pixels of 9, of which `masks:` does not say what they are"):
        read_delivered(path, KNOWN["fmask"], SCENE)


def delivered(product: str, source: str) -> Item:
    name = f"{product}.mask.{source}"
    facts = {"scene": "s", "product": product, "product_version": [], "attribution": "", "mask_source": source}
    return make("delivered-masks", name, **facts, crs="EPSG:32634")


def planned(area: Area, *items: Item) -> list[tuple[str, ...]]:
    """What the masks are to be made of, planned from each item."""
    catalogue = catalogue_of(items, area)
    jobs = [job for item in items for job in plan(item, catalogue, area, CloudmaskSettings())]
    return [tuple(source.item.collection for source in job.inputs) for job in jobs]


def test_the_first_source_that_there_is() -> None:
    s, fmask, ocm = scene("p", 500), delivered("p", "fmask"), delivered("p", "omnicloudmask")
    both, one = ("sentinel-2-l2a", "delivered-masks"), ("sentinel-2-l2a",)
    assert planned(with_masks("fmask", "own"), s) == [one]
    assert planned(with_masks("fmask", "own"), s, fmask) == [both, both], "from either arrival"
    assert planned(with_masks("own", "fmask"), s, fmask) == [one, one]
    assert planned(with_masks("fmask"), s) == [], "nothing is masked before the only source is there"
    assert planned(with_masks("fmask"), fmask) == [], "nor a scene that is not there"
    area = with_masks("omnicloudmask", "fmask", "own")
    catalogue = catalogue_of([s, fmask, ocm], area)
    (job,) = plan(s, catalogue, area, CloudmaskSettings())
    assert job.inputs[1].item == ocm
    assert job.parameters["mask"]["source"] == "omnicloudmask"


def test_a_mask_of_another_source_is_not_current() -> None:
    s, given = scene("p", 500), delivered("p", "fmask")
    own = make("cloud-masks", "p", [s])
    theirs = make("cloud-masks", "p", [s, given])
    area = with_masks("fmask", "own")
    assert catalogue_of([s, own], area).current("cloud-masks", s.week) == [own]
    assert catalogue_of([s, given, own], area).current("cloud-masks", s.week) == []
    assert catalogue_of([s, given, own, theirs], area).current("cloud-masks", s.week) == [theirs]
    assert catalogue_of([s, given, own, theirs]).current("cloud-masks", s.week) == [own]


@pytest.mark.parametrize("percents", [(40, 60), (60, 40)])
def test_a_mask_whose_values_meant_another_thing_is_not_current(percents: tuple[int, int]) -> None:
    """Whichever of the two ids is the larger."""
    s, given = scene("p", 500), delivered("p", "s2cloudless")
    areas = [with_masks({"source": "s2cloudless", "cloud_above": percent}) for percent in percents]
    masks = []
    for number, area in enumerate(areas):
        digest = values_digest(source_of(given, area))
        masks.append(item("cloud-masks", f"p--v1-0000000{number}", [s, given], s.week, mask_values=digest))
    for area, mask in zip(areas, masks, strict=True):
        assert catalogue_of([s, given, *masks], area).current("cloud-masks", s.week) == [mask]


@pytest.mark.parametrize("nonsense", [float("nan"), float("inf")])
def test_a_threshold_is_a_number(nonsense: float) -> None:
    with pytest.raises(AreaError, match="cloud_above: Input should be a finite number"):
        with_masks({"source": "s2cloudless", "cloud_above": nonsense})


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_the_cube_is_the_same_in_every_order(tmp_path: Path) -> None:
    """A scene, a mask that hides its west, and the cube with our own mask before: the last word is the same."""
    (product,) = write_products(tmp_path / "products", "old baseline, no offset")
    with rasterio.open(next(product.glob("GRANULE/*/IMG_DATA/R20m/*_SCL_20m.jp2"))) as scl:
        values, profile = np.zeros(scl.shape, np.uint8), {"crs": scl.crs, "transform": scl.transform}
    values[:, : values.shape[1] // 2] = 4
    mask = tmp_path / f"{product.stem}.mask.fmask.tif"
    ny, nx = values.shape
    with rasterio.open(mask, "w", "GTiff", nx, ny, 1, dtype="uint8", **profile) as file:
        file.write(values, 1)
    area, found = with_masks("fmask", "own"), []
    for steps in permutations([product, mask]):
        store = FolderStore(tmp_path / steps[0].name[-9:])
        with store.exclusive():
            bind(store, area)
            for step in steps:  # where the scene comes first, it is merged with our own mask before the other is there
                deliver(store, step, Event())
                for stage in ("ingest", "cloudmask", "tiler"):
                    do_what_is_due(stage, Context.of_store(store, area, patience_s=lambda _: 0.0))
            found.append((content_lines(store, area), digest_lines(store, area)))
    assert found[0] == found[1]
    assert found[0][0]
