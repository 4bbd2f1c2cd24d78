"""The items that whoever drives the stream creates: of the whole area, without a week."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.area import Area
from shared.items.item import Item
from shared.items.stac import make_item
from shared.items.weeks import STATIC

DRIVER = "driver"
DRIVER_VERSION = 1


def driver_item(
    collection: str, item_id: str, properties: dict[str, Any], inputs: Sequence[Item], area: Area
) -> dict[str, Any]:
    """Return the STAC item of a training request or a promotion."""
    west, south, east, north = area.polygon.bounds
    return make_item(
        collection=collection,
        week=STATIC,
        item_id=item_id,
        geometry=area.aoi,
        bbox=(west, south, east, north),
        properties=properties,
        assets={},
        inputs=inputs,
        stage=DRIVER,
        stage_version=DRIVER_VERSION,
    )
