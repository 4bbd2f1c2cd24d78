"""Scenes as a STAC API with COGs offers them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tools.servers.catalogue import Asset, Product, Scene


def scene_of(safe: Path, folder: Path, **given: Any) -> Scene:
    """The scene of a SAFE, whose COGs lie in a folder.

    Args:
        safe: the product.
        folder: as `simulator.cogs` writes it.
        given: further attributes of the scene.
    """
    item = json.loads((folder / "item.json").read_bytes())
    assets = {
        key: Asset(
            folder / f"{key}.tif",
            asset["raster:bands"][0],
            more={name: asset[name] for name in ("file:size", "file:checksum")},
        )
        for key, asset in item["assets"].items()
    }
    return Scene(Product.at(safe), assets, **{"properties": {"proj:code": "EPSG:32634"}, **given})
