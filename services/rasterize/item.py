"""The STAC item of a burned delivery: classes, how far each pixel lies within its class, polygons."""

from __future__ import annotations

from pathlib import Path
from typing import Final

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

LABELS, CONFIDENCE, POLYGON = "labels.tif", "confidence.tif", "polygon.tif"
PIXEL_M = 10
CONFIDENCE_UNIT: Final = "10 m pixels"

_CONFIDENCE = "Distance to the nearest pixel of another class or without one, capped at 255"
_POLYGON = "Number of the polygon, by the order of the delivery"


def make_item(
    delivery: Item,
    area: Area,
    band: Band,
    *,
    counts: NDArray[np.int64],
    polygons: int,
    uncoded: int,
    repaired: int,
    attribution: str,
    folder: Path,
) -> NewItem:
    """Make the item of a burned delivery.

    Args:
        delivery: the item of the polygons.
        area: the study area.
        band: of the raster of classes.
        counts: pixels of each value, (256,).
        polygons: how many were burned.
        uncoded: how many of them have no class code.
        repaired: how many of them were invalid.
        attribution: the line that the item carries.
        folder: where its files are.
    """
    facts, scheme, grid = DeliveryFacts.of(delivery), area.labels, area.grid
    lattice = Lattice.of_area(grid, PIXEL_M)
    fields = lattice.projection | {"gsd": PIXEL_M, "nodata": 0}
    classes = fields | {"data_type": "uint8", "classification:classes": classification(band.classes)}
    distance = fields | {"data_type": "uint8", "unit": CONFIDENCE_UNIT}
    number = fields | {"data_type": "uint32"}
    own = LabelFacts(
        scene=facts.scene,
        product=facts.product,
        reference_year=facts.reference_year,
        campaign=facts.campaign,
        release=facts.release,
        scheme=scheme.scheme,
        polygons=polygons,
        uncoded_polygons=uncoded,
        repaired_polygons=repaired,
        class_area_m2={c.code: int(counts[v]) * PIXEL_M**2 for v, c in scheme.values.items()},
        unlabelled_area_m2=int(counts[0]) * PIXEL_M**2,
        attribution=attribution,
    )
    outline = lattice.outline()
    sidecar = folder / f"{LABELS}.aux.xml"
    return NewItem(
        geometry=geojson(outline),
        bbox=bbox(outline),
        properties={"datetime": delivery.properties["datetime"], "proj:code": grid.crs} | own.properties(),
        assets={
            "labels": NewAsset(folder / LABELS, COG, ("data", "labels"), f"Classes of {scheme.scheme}", classes),
            "labels_aux": NewAsset(sidecar, XML, ("metadata",), "Names of the classes", beside="labels"),
            "confidence": NewAsset(folder / CONFIDENCE, COG, ("data",), _CONFIDENCE, distance),
            "polygon": NewAsset(folder / POLYGON, COG, ("data",), _POLYGON, number),
        },
        extensions=(PROJECTION_EXTENSION, CLASSIFICATION_EXTENSION),
    )
