"""The STAC item of a mask."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from services.cloudmask.mask import DILATION_M
from shared.items.classes import CLEAR_CLASSES, MASK_CLASSES, classification
from shared.items.item import Item
from shared.items.properties import MaskFacts, SceneFacts
from shared.items.stac import (
    CLASSIFICATION_EXTENSION,
    COG,
    EO_EXTENSION,
    PROJECTION_EXTENSION,
    SAT_EXTENSION,
    XML,
)
from shared.raster.cog import Band
from shared.raster.grid import Lattice
from shared.stage import NewAsset, NewItem

BANDS = (Band("code", classes=MASK_CLASSES), Band("clear", classes=CLEAR_CLASSES))
"""Bands of the mask's raster."""

_COPIED = ("datetime", "platform", "constellation", "instruments", "proj:code", "sat:relative_orbit", "sat:orbit_state")
_CLEAR = f"1 = clear and farther than {DILATION_M} m from cloud and shadow"


def make_item(
    scene: Item,
    lattice: Lattice,
    shares: Mapping[str, float],
    source: str,
    attribution: str,
    path: Path,
    values: str | None = None,
) -> NewItem:
    """Make the item of a mask.

    Args:
        scene: the masked scene.
        lattice: of the mask.
        shares: what `mask.percentages` tells.
        source: what told the codes.
        attribution: the line that the item carries.
        path: the raster; its sidecar lies beside it.
        values: digest of what the values of a delivered mask mean; None of one of our own.
    """
    p = scene.properties
    codes, clear = (classification(band.classes) for band in BANDS)
    fields = lattice.projection | {
        "gsd": 20,
        "classification:classes": codes,
        "bands": [
            {"name": "code", "data_type": "uint8", "nodata": 0, "classification:classes": codes},
            {"name": "clear", "data_type": "uint8", "description": _CLEAR, "classification:classes": clear},
        ],
    }
    facts = SceneFacts.of(scene)
    own = MaskFacts(
        scene=facts.scene,
        product=facts.product,
        product_version=facts.product_version,
        attribution=attribution,
        mgrs_tile=facts.mgrs_tile,
        level=facts.level,
        baseline=facts.baseline,
        cloud_percent=shares["cloud"],
        clear_percent=shares["clear"],
        usable_percent=shares["usable"],
        observed_percent=shares["observed"],
        shadow_percent=shares["cloud-shadow"],
        snow_percent=shares["snow-or-ice"],
        dilation_m=DILATION_M,
        mask_source=source,
        mask_values=values,
    )
    properties = {name: p[name] for name in _COPIED if name in p} | {"eo:cloud_cover": own.cloud_percent}
    west, south, east, north = scene.json["bbox"]
    sidecar = path.with_name(f"{path.name}.aux.xml")
    return NewItem(
        geometry=scene.json["geometry"],
        bbox=(west, south, east, north),
        properties=properties | own.properties(),
        assets={
            "mask": NewAsset(path, COG, ("data", "cloud"), "Cloud mask and dilated clear band", fields),
            "mask_aux": NewAsset(sidecar, XML, ("metadata",), "Names and colours of the classes", beside="mask"),
        },
        extensions=(PROJECTION_EXTENSION, EO_EXTENSION, SAT_EXTENSION, CLASSIFICATION_EXTENSION),
    )
