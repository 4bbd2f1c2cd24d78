"""Updates of what may no longer be merged, and of labels that an older version burned."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import rasterio
import shapely
import zarr

from landstream.reprocessing import order
from services.rasterize.burn import reproject
from services.rasterize.stage import STAGE as RASTERIZE
from services.tiler.arrays import group_at
from services.tiler.superseded import note_superseded
from shared.cube import open_cube
from shared.cube.cube import split_week
from shared.cube.layout import MSI
from shared.items.ids import product_number
from shared.items.item import Item
from shared.items.stac import asset_key
from shared.store import FolderStore
from simulator.clc import write_polygons
from tests.landstream.cubes import AREA, fill_cube, write_products


def updates_of(store: FolderStore) -> list[Item]:
    return [Item.parse(store.get(key), key.split("/")[2]) for key in store.keys("items/cube-updates/")]


def test_an_update_says_what_its_product_touches_though_it_is_superseded_meanwhile(tmp_path: Path) -> None:
    """The product may be current again, when a higher version is withdrawn."""
    root = fill_cube(tmp_path / "store", *write_products(tmp_path, "old baseline, no offset"))
    store = FolderStore(root)
    (merged,) = updates_of(store)
    assert merged.properties["landstream:tiles"]
    year, week = split_week(merged.week)

    def supersede(group: zarr.Group, again: object) -> None:
        numbers = [product_number(merged.properties["landstream:product"])]
        note_superseded(group_at(group, MSI), week, numbers, by=None, now=datetime.now(UTC))

    open_cube(str(root / "cube"), AREA, "write").write_year(year, supersede, "a higher version")
    store.delete(merged.key)
    fill_cube(root)
    assert updates_of(store) == [merged]


def label_items(store: FolderStore) -> list[Item]:
    return [Item.parse(store.get(key), "static") for key in store.keys("items/land-cover-labels/")]


def test_labels_that_an_older_version_burned_are_burned_again_on_request(tmp_path: Path) -> None:
    """They stay done until then, and the cube tells that it lacks their polygons."""
    x, y = shapely.get_coordinates(AREA.polygon.centroid)[0]
    degrees = shapely.box(x - 0.02, y - 0.02, x, y + 0.02), shapely.box(x, y - 0.02, x + 0.02, y)
    outlines = reproject(np.array(degrees, dtype=object), "EPSG:4326", "EPSG:3035")
    delivered = write_polygons(tmp_path, outlines, np.array([311, 511], np.int32))
    root = fill_cube(tmp_path / "store", delivered, stages=("ingest", "rasterize"))
    store = FolderStore(root)
    (burned,) = label_items(store)
    older = json.loads(store.get(burned.key))
    older["id"] = burned.id.replace("--v3-", "--v1-")
    older["assets"] = {name: older["assets"][name] for name in ("labels", "labels_aux")}
    store.delete(burned.key)
    store.put(burned.key.replace(burned.id, older["id"]), json.dumps(older).encode())

    fill_cube(root, stages=("rasterize", "tiler"))
    assert [item.id for item in label_items(store)] == [older["id"]]
    cube = open_cube(str(root / "cube"), AREA, "read")
    whole = 0, 0, *AREA.grid.shape_px(10)
    classes = cube.labels(*whole)
    assert np.unique(classes).tolist() == [0, 3, 5]
    assert not cube.has_polygons

    order(store, RASTERIZE)
    fill_cube(root, stages=("rasterize", "tiler"))
    cube = open_cube(str(root / "cube"), AREA, "read")
    assert cube.has_polygons
    assert np.array_equal(cube.labels(*whole), classes)
    assert np.unique(cube.polygons(*whole)[classes == 5]).tolist() == [2]
    for name, found in (("polygon", cube.polygons(*whole)), ("confidence", cube.label_confidence(*whole))):
        with rasterio.open(root / asset_key(burned, name), driver="GTiff") as file:
            assert np.array_equal(found, file.read(1)), name
