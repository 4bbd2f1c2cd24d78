"""Scenes that come as COGs: the same items as of the SAFE, and what their items may say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from services.cloudmask.read_bands import read_all
from services.ingest.cog_item import BadItem, offset_to_add, parse_item
from services.ingest.completeness import why_incomplete
from services.tiler.bands import Bands, Image
from shared.geo import Grid
from shared.items.item import Item
from shared.items.scenes import current_of_scene
from shared.raster.grid import Lattice, Window
from shared.sensors import CUBE_BANDS
from shared.stage import NewItem, RejectScene, RetryLater
from simulator.cogs import write_cogs
from tests.catalogues import catalogue_of

from .conftest import unit_of, write_scene

Run = Callable[..., NewItem]
Spoil = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="session")
def safe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No reflectance below zero: COGs with the offset applied cannot hold it."""
    return write_scene(tmp_path_factory.mktemp("safe"), least_dn=1001)


@pytest.fixture(scope="session", params=[True, False], ids=["applied", "raw"])
def either(request: pytest.FixtureRequest, safe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of COGs with the offset applied and not; tests read them only."""
    return write_cogs(safe, tmp_path_factory.mktemp("cogs"), applied=request.param)


@pytest.fixture(scope="session")
def _cogs(safe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cogs(safe, tmp_path_factory.mktemp("cogs"), applied=False)


@pytest.fixture
def cogs(_cogs: Path, tmp_path: Path) -> Path:
    """A folder of COGs that a test may spoil."""
    return Path(shutil.copytree(_cogs, tmp_path / _cogs.name))


def rewrite(root: Path, change: Spoil) -> None:
    path = root / "item.json"
    item = json.loads(path.read_bytes())
    change(item)
    path.write_text(json.dumps(item))


def test_the_item_is_that_of_the_safe(ingest: Run, either: Path, safe: Path) -> None:
    of_cogs, of_safe = ingest(either), ingest(safe)
    assert (of_cogs.collection, of_cogs.week, of_cogs.product) == (of_safe.collection, of_safe.week, of_safe.product)
    assert set(of_safe.assets) - set(of_cogs.assets) == {"product_metadata", "granule_metadata"}
    assert set(of_cogs.assets) <= set(of_safe.assets)
    for name, asset in of_cogs.assets.items():
        assert asset.fields == of_safe.assets[name].fields
        assert asset.path.suffix == (".json" if name == "manifest" else ".tif")
    differ = {n for n in of_safe.properties if of_cogs.properties.get(n) != of_safe.properties[n]}
    applied = of_cogs.properties["landstream:offsets"]["B02"] == 0
    # The item tells neither the datatake's milliseconds nor the direction of flight.
    told = {"landstream:product_version", "datetime", "sat:orbit_state"}
    assert differ == told | ({"landstream:offsets"} if applied else set())
    assert np.allclose(of_cogs.bbox, of_safe.bbox)


def test_the_cube_is_that_of_the_safe(ingest: Run, either: Path, safe: Path) -> None:
    stored = []
    for item in (ingest(either), ingest(safe)):
        layers = []
        for resolution in ("10m", "20m", "60m-l2a"):
            names = [f"{b}_{resolution[:3]}" for b in CUBE_BANDS[resolution]]
            offsets = item.properties["landstream:offsets"]
            quantification = item.properties["landstream:quantification"]
            images = [Image(item.assets[n].path, offsets[n[:3]], quantification) for n in names]
            lattice = Lattice.of_asset(item.assets[names[0]].fields)
            with ThreadPoolExecutor(1) as pool:
                bands = Bands(images, lattice, int(lattice.pixel), pool)
                grid = Grid(32634, int(lattice.x), int(lattice.y), 1, 1)
                index = bands.place(grid, Window(0, 0, *lattice.shape))
                bands.hold([index])
                layers.append(bands.take(index))
        stored.append([*layers, read_all(item.assets["SCL_20m"].path)])
    for of_cogs, of_safe in zip(*stored, strict=True):
        assert of_safe.any()
        assert np.array_equal(of_cogs, of_safe)


def test_a_safe_outranks_cogs_and_a_newer_baseline_outranks_both(ingest: Run, cogs: Path, safe: Path) -> None:
    def item(new: NewItem, suffix: str, **properties: object) -> Item:
        identity = f"{new.product}--v1-{suffix * 8}"
        json_ = {"id": identity, "collection": new.collection, "assets": {}, "links": []}
        return Item(json_ | {"properties": {**new.properties, **properties}}, new.week)

    of_cogs, of_safe = ingest(cogs), ingest(safe)
    for digits in ("0f", "f0"):
        old, safe = item(of_cogs, digits[0]), item(of_safe, digits[1])
        newer = item(of_cogs, "1", **{"landstream:product_version": [510, -1]})
        older = item(of_safe, "2", **{"landstream:product_version": [508]})
        assert current_of_scene(old, catalogue_of([old, safe])) == {safe.id}
        assert current_of_scene(old, catalogue_of([safe, old, older])) == {safe.id}
        assert current_of_scene(old, catalogue_of([old, older])) == {old.id}
        assert current_of_scene(old, catalogue_of([old, safe, newer])) == {newer.id}


@pytest.mark.parametrize(
    ("applied", "stated", "baseline", "offset"),
    [
        (True, -1000, "05.09", 0),  # Earth Search: once only
        (True, 0, "05.09", 0),
        (True, None, "05.09", 0),
        (False, -1000, "05.09", -1000),
        (False, None, "04.00", -1000),
        (None, -1000, "05.09", -1000),
        (None, 0, "05.09", 0),
        (None, None, "02.14", 0),
        (False, 0, "02.14", 0),
    ],
)
def test_offsets(applied: bool | None, stated: int | None, baseline: str, offset: int) -> None:
    assert offset_to_add("blue", applied, stated, baseline) == offset


@pytest.mark.parametrize(
    ("applied", "stated", "baseline"),
    [
        (None, None, "05.09"),
        (False, 0, "05.09"),
        (True, 0, "02.14"),
        (False, -1000, "02.14"),
        (None, -1000, "03.01"),
        (True, 500, "05.09"),
    ],
)
def test_offsets_that_nobody_can_tell(applied: bool | None, stated: int | None, baseline: str) -> None:
    with pytest.raises(BadItem, match="offset"):
        offset_to_add("blue", applied, stated, baseline)


def _of(name: str, value: object) -> Spoil:
    return lambda item: item["properties"].update({name: value})


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (_of("s2:product_uri", "../../etc/passwd"), "states no product's name"),
        (lambda i: i["properties"].pop("s2:product_uri"), "states no product's name"),
        (_of("s2:product_uri", "S2A_MSIL1C_20180605T092031_N0509_R093_T34TGR_20180605T120000.SAFE"), "level L1C"),
        (_of("s2:product_uri", "S2B_MSIL2A_20180605T092031_N0509_R093_T34TGR_20180605T120000.SAFE"), "a product S2B"),
        (_of("s2:processing_baseline", "05.10"), "s2:processing_baseline 05.10"),
        (_of("platform", "sentinel-2b"), "platform sentinel-2b"),
        (_of("grid:code", "MGRS-34TFR"), "grid:code MGRS-34TFR"),
        (_of("proj:code", "EPSG:32635"), "proj:code EPSG:32635"),
        (_of("proj:epsg", [1]), "proj:epsg"),
        (_of("eo:cloud_cover", "much"), "eo:cloud_cover"),
        (_of("earthsearch:boa_offset_applied", "yes"), "neither true nor false"),
        (lambda i: i["assets"].pop("nir08"), "no GeoTIFF of B8A_20m"),
        (lambda i: i["assets"]["blue"].update({"type": "image/jp2", "href": "B02.jp2"}), "no GeoTIFF of B02_10m"),
        (lambda i: i["assets"]["blue"]["raster:bands"][0].update(scale=0.001), "scales"),
        (lambda i: i["assets"]["blue"]["raster:bands"][0].update(offset=-0.2), "offset of -2000 DN of blue"),
        (lambda i: i["assets"]["blue"]["raster:bands"][0].update(offset=1e300), "states the offset 1e"),
        (lambda i: i["assets"]["blue"].update({"file:size": -1}), "is not a STAC item"),
        (lambda i: i["assets"]["blue"].update({"file:size": 10}), "has another|where the manifest states"),
        (lambda i: i["assets"]["blue"].update({"file:checksum": "1220" + "0" * 64}), "another sha256 checksum"),
        (lambda i: i.update(geometry={"type": "Point", "coordinates": [1, 2]}), "no usable geometry"),
        (lambda i: i.update(geometry={"type": "Polygon"}), "no usable geometry"),
        (lambda i: i.update(assets=[]), "is not a STAC item"),
    ],
)
def test_an_item_that_cannot_be_used(change: Spoil, fault: str, ingest: Run, cogs: Path) -> None:
    rewrite(cogs, change)
    with pytest.raises(RejectScene, match=fault):
        ingest(cogs)


def test_what_was_applied_is_never_guessed(ingest: Run, cogs: Path) -> None:
    def forget(item: dict[str, Any]) -> None:
        del item["properties"]["earthsearch:boa_offset_applied"]
        for asset in item["assets"].values():
            del asset["raster:bands"]

    rewrite(cogs, forget)
    with pytest.raises(RejectScene, match="does not tell whether the offset of baseline"):
        ingest(cogs)


@pytest.mark.parametrize("text", [b"", b'{"id": ', b"\xff\xfe"])
def test_an_item_that_is_being_written(text: bytes, ingest: Run, cogs: Path) -> None:
    (cogs / "item.json").write_bytes(text)
    assert "is not JSON" in str(_why(cogs))
    with pytest.raises(RetryLater, match="is not JSON"):
        ingest(cogs, patience_s=60)


@pytest.mark.parametrize("text", [b"[" * 100_000, b"[]", b'{"id": NaN}', b" " * (5 << 20), b"1" * 10_000])
def test_hostile_items(text: bytes, ingest: Run, cogs: Path) -> None:
    (cogs / "item.json").write_bytes(text)
    with pytest.raises(RejectScene, match=r"item\.json"):
        ingest(cogs)


def _why(root: Path) -> str | None:
    return why_incomplete(unit_of(root), lambda path: (root / path).read_bytes())


def test_files_that_are_not_there_yet(ingest: Run, cogs: Path) -> None:
    assert _why(cogs) is None
    whole = (cogs / "red.tif").read_bytes()
    (cogs / "red.tif").write_bytes(whole[:100])
    assert _why(cogs) == f"12 of 13 files are there (red.tif: has 100 of {len(whole)} bytes)"
    (cogs / "red.tif").unlink()
    assert _why(cogs) == "12 of 13 files are there (red.tif: is missing)"
    with pytest.raises(RetryLater, match="is missing"):
        ingest(cogs, patience_s=60)
    (cogs / "item.json").unlink()
    assert _why(cogs) == "item.json: is missing"


def test_a_geotiff_that_is_none(ingest: Run, cogs: Path) -> None:
    def silent(item: dict[str, Any]) -> None:
        for field in ("file:size", "file:checksum"):
            del item["assets"]["green"][field]

    rewrite(cogs, silent)
    whole = (cogs / "green.tif").read_bytes()
    (cogs / "green.tif").write_bytes(b"<html>")
    with pytest.raises(RejectScene, match="is not a GeoTIFF file"):
        ingest(cogs)
    (cogs / "green.tif").write_bytes(whole[: len(whole) - 4000])
    with pytest.raises(RejectScene, match="is a corrupt GeoTIFF file"):
        ingest(cogs, decode=True)
    with rasterio.open(cogs / "red.tif") as image:
        profile, dn = image.profile, image.read()
    with rasterio.open(cogs / "green.tif", "w", **(profile | {"count": 2})) as image:
        image.write(np.concatenate([dn, dn]))
    with pytest.raises(RejectScene, match="has 2 bands"):
        ingest(cogs)


@pytest.mark.realdata
def test_real_items(data: Path) -> None:
    recordings = data / "api-recordings" / "stac"
    old = parse_item((recordings / "earth_search_S2A_29RKH_20200219_0_L2A.json").read_bytes())
    new = parse_item((recordings / "earth_search_S2A_32TPS_20230602_0_L2A.json").read_bytes())
    assert old.name.product == "S2A_MSIL2A_20200219T112111_N0214_R037_T29RKH_20200219T123947"
    assert (old.baseline, new.baseline) == ("02.14", "05.09")
    assert set(old.offsets.values()) == set(new.offsets.values()) == {0}
    assert (old.quantification, len(new.images), new.images["B8A_20m"]) == (10_000, 13, "nir08")
