"""Describes a mask as a STAC item."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.cloudmask.mask import DILATION_M
from services.cloudmask.write_mask import stac_classes
from shared.items.item import Item
from shared.stage import NewAsset, NewItem

_COPIED = (
    *("datetime", "platform", "constellation", "instruments", "proj:code", "sat:relative_orbit", "sat:orbit_state"),
    *(f"landstream:{name}" for name in ("scene", "product", "product_version", "mgrs_tile", "level", "baseline")),
)
_CLEAR = f"1 = clear and farther than {DILATION_M} m from cloud and shadow"
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_EXTENSIONS = tuple(
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in ("projection/v2.0.0", "eo/v1.1.0", "sat/v1.0.0", "classification/v2.0.0")
)


def mask_item(
    scene: Item, grid: Mapping[str, Any], shares: Mapping[str, float], source: str, attribution: str, path: Path
) -> NewItem:
    """The item of a mask.

    Args:
        scene: the masked scene.
        grid: `proj:` fields of the mask.
        shares: what `mask.percentages` tells.
        source: what told the codes.
        attribution: the line that the item carries.
        path: the raster.
    """
    p = scene.properties
    fields = {
        "proj:code": grid["proj:code"],
        "proj:shape": list(grid["proj:shape"]),
        "proj:transform": list(grid["proj:transform"]),
        "gsd": 20,
        "classification:classes": stac_classes(),
        "bands": [
            {"name": "code", "data_type": "uint8", "nodata": 0, "classification:classes": stac_classes()},
            {"name": "clear", "data_type": "uint8", "description": _CLEAR},
        ],
    }
    west, south, east, north = scene.json["bbox"]
    return NewItem(
        geometry=scene.json["geometry"],
        bbox=(west, south, east, north),
        properties={name: p[name] for name in _COPIED if name in p}
        | {
            "eo:cloud_cover": shares["cloud"],
            "landstream:cloud_percent": shares["cloud"],
            "landstream:clear_percent": shares["clear"],
            "landstream:usable_percent": shares["usable"],
            "landstream:observed_percent": shares["observed"],
            "landstream:shadow_percent": shares["cloud-shadow"],
            "landstream:snow_percent": shares["snow-or-ice"],
            "landstream:dilation_m": DILATION_M,
            "landstream:mask_source": source,
            "landstream:attribution": attribution,
        },
        assets={"mask": NewAsset(path, _COG, ("data", "cloud"), "Cloud mask and dilated clear band", fields)},
        extensions=_EXTENSIONS,
    )
