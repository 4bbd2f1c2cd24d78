"""What several writers of one cube must not do to each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import zarr
from affine import Affine

from services.tiler.update import LEDGER_SLOTS, Ledger, Superseded, _supersede, update_labels
from shared.area import load_area
from shared.cube.cube import tiles_of_chunk
from shared.geo import TileIndex
from shared.stage import RetryLater
from tests.conftest import AREAS

WEEK = 25
OLD, NEW, OTHER = 2**64 - 3, 2**63 + 1, 7


@pytest.fixture
def group() -> zarr.Group:
    return zarr.open_group({}, mode="w")


@pytest.fixture
def ledger(group: zarr.Group) -> Ledger:
    return Ledger(group.create_array("scenes", shape=(53, 4, 4, LEDGER_SLOTS), dtype="uint64"), WEEK)


def test_a_superseded_scene_is_merged_no_more(group: zarr.Group) -> None:
    _supersede(group, WEEK, [], OLD)
    _supersede(group, WEEK, [OLD], NEW)
    with pytest.raises(Superseded):
        _supersede(group, WEEK, [], OLD)
    _supersede(group, WEEK + 1, [], OLD)
    _supersede(group, WEEK, [], NEW)


def test_another_mask_of_a_product_does_not_supersede_it(group: zarr.Group) -> None:
    _supersede(group, WEEK, [NEW, OLD], NEW)
    _supersede(group, WEEK, [], NEW)


def test_nothing_is_written_where_nothing_is_outdated(group: zarr.Group) -> None:
    _supersede(group, WEEK, [], OLD)
    assert dict(group.attrs) == {}


def test_forget_takes_one_product_out(ledger: Ledger) -> None:
    here, there = TileIndex(1, 2), TileIndex(3, 3)
    for tile in (here, there):
        for number in (NEW, OTHER):
            ledger.add(tile, number, "p")
    ledger.forget([here], NEW)
    assert [int(n) for n in ledger.numbers[here] if n] == [OTHER]
    assert [int(n) for n in ledger.numbers[there] if n] == [OTHER, NEW]
    assert ledger.lacking([here, there], NEW) == [here]


def test_a_rebuild_needs_every_scene_of_its_tiles(ledger: Ledger) -> None:
    tile = TileIndex(0, 0)
    ledger.add(tile, OLD, "p")
    ledger.add(tile, OTHER, "q")
    ledger.require_known([tile], {OLD, OTHER})
    with pytest.raises(RetryLater, match="after this was planned"):
        ledger.require_known([tile], {OLD})


def test_the_better_labels_stay_whoever_comes_last(group: zarr.Group, tmp_path: Path) -> None:
    labels = group.create_group("labels/clc")
    labels.create_array("class", shape=(512, 256), chunks=(256, 256), dtype="uint8")
    labels.create_array("classes", shape=(2, 1, 3), dtype="uint8")
    rasters = {}
    for value in (1, 2):
        rasters[value] = tmp_path / f"{value}.tif"
        options = {"driver": "GTiff", "height": 512, "width": 256, "count": 1, "dtype": "uint8", "crs": "EPSG:32634"}
        with rasterio.open(rasters[value], "w", transform=Affine(10, 0, 0, 0, -10, 0), **options) as file:
            file.write(np.full((1, 512, 256), value, np.uint8))
    better, worse = [0, "2018", "V2020_20u1", "b", 1, "b"], [-6, "2012", "V2020_20u1", "a", 1, "a"]
    update_labels(group, "clc", 3, rasters[1], better)
    update_labels(group, "clc", 3, rasters[2], worse)
    assert (np.asarray(group["labels/clc/class"]) == 1).all()
    update_labels(group, "clc", 3, rasters[2], [*better[:4], 2, "b"])
    assert (np.asarray(group["labels/clc/class"]) == 2).all()
    assert np.asarray(group["labels/clc/classes"]).tolist() == [[[0, 1, 0]]] * 2


def test_tiles_of_a_chunk() -> None:
    grid = load_area(AREAS / "small.yaml").grid
    assert (grid.rows, grid.cols) == (4, 4)
    assert list(tiles_of_chunk("small/2018/Sentinel-2/MSI/20m_source", (WEEK, 1, 2), grid)) == [TileIndex(1, 2)]
    assert len(list(tiles_of_chunk("small/2018/Sentinel-2/MSI/60m", (WEEK, 0, 0, 0), grid))) == 9
    assert list(tiles_of_chunk("small/2018/Sentinel-2/MSI/60m", (WEEK, 1, 1, 0), grid)) == [TileIndex(3, 3)]
    assert len(list(tiles_of_chunk("small/2018/Sentinel-2/MSI/scenes", (WEEK, 0, 0, 0), grid))) == 16
    # 9,600 m are 3.75 tiles: the next chunk begins within the fourth.
    ends = list(tiles_of_chunk("small/2018/Sentinel-3/OLCI/300m_rank", (WEEK, 0, 1), grid))
    assert [t.col for t in ends] == [3] * 4
