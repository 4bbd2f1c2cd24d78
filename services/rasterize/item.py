"""The STAC item of a class raster."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.area import Area
from shared.geo.outline import bbox, geojson
from shared.items.classes import classification
from shared.items.item import Item
from shared.items.properties import DeliveryFacts, LabelFacts
from shared.items.stac import CLASSIFICATION_EXTENSION, COG, PROJECTION_EXTENSION, XML
from shared.raster.cog import Band
from shared.raster.grid import Lattice
from shared.stage import NewAsset, NewItem

PIXEL_M = 10


def make_item(
    delivery: Item,
    area: Area,
    band: Band,
    *,
    counts: NDArray[np.int64],
    polygons: int,
    attribution: str,
    path: Path,
) -> NewItem:
    """Make the item of a burned delivery.

    Args:
        delivery: the item of the polygons.
        area: the study area.
        band: the raster's band.
        counts: pixels of each value, (256,).
        polygons: how many were burned.
        attribution: the line that the item carries.
        path: the raster; its sidecar lies beside it.
    """
    facts, scheme, grid = DeliveryFacts.of(delivery), area.labels, area.grid
    lattice = Lattice.of_area(grid, PIXEL_M)
    fields = lattice.projection | {
        "gsd": PIXEL_M,
        "data_type": "uint8",
        "nodata": 0,
        "classification:classes": classification(band.classes),
    }
    own = LabelFacts(
        scene=facts.scene,
        product=facts.product,
        reference_year=facts.reference_year,
        campaign=facts.campaign,
        release=facts.release,
        scheme=scheme.scheme,
        polygons=polygons,
        class_area_m2={c.code: int(counts[v]) * PIXEL_M**2 for v, c in scheme.values.items()},
        unlabelled_area_m2=int(counts[0]) * PIXEL_M**2,
        attribution=attribution,
    )
    outline = lattice.outline()
    sidecar = path.with_name(f"{path.name}.aux.xml")
    return NewItem(
        geometry=geojson(outline),
        bbox=bbox(outline),
        properties={"datetime": delivery.properties["datetime"], "proj:code": grid.crs} | own.properties(),
        assets={
            "labels": NewAsset(path, COG, ("data", "labels"), f"Classes of {scheme.scheme}", fields),
            "labels_aux": NewAsset(sidecar, XML, ("metadata",), "Names of the classes", beside="labels"),
        },
        extensions=(PROJECTION_EXTENSION, CLASSIFICATION_EXTENSION),
    )
