"""Updates of what may no longer be merged."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import zarr

from services.tiler.arrays import group_at
from services.tiler.superseded import note_superseded
from shared.cube import open_cube
from shared.cube.cube import split_week
from shared.cube.layout import MSI
from shared.items.ids import product_number
from shared.items.item import Item
from shared.store import FolderStore
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
