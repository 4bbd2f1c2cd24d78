"""The STAC item of a burned delivery: classes, how far each pixel lies within its class, polygons."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
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
_PATCH = "Number of the patch: of the pixels of one class in one square of 1.28 km"


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A delivery as it is drawn on the area's grid.

    Attributes:
        year: that it describes.
        polygons: (first row, uint32 (y, x)) by strips from the north: number of the polygon, or of what stands for one,
            that labels each pixel; 0 = none.
        class_of: numbers -> classes, uint8 of the same shape; 0 = unlabelled.
        burned: how many polygons there are; None of a raster.
        uncoded: how many of them have no class code.
        repaired: how many of them were invalid.
    """

    year: int
    polygons: Iterable[tuple[int, NDArray[np.uint32]]]
    class_of: Callable[[NDArray[np.uint32]], NDArray[np.uint8]]
    burned: int | None = None
    uncoded: int | None = None
    repaired: int | None = None


def make_item(
    delivery: Item,
    area: Area,
    band: Band,
    *,
    counts: NDArray[np.int64],
    drawn: Drawn,
    attribution: str,
    folder: Path,
) -> NewItem:
    """Make the item of a burned delivery.

    Args:
        delivery: the item of what was delivered.
        area: the study area.
        band: of the raster of classes.
        counts: pixels of each value, (256,).
        drawn: how it was drawn.
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
        polygons=drawn.burned,
        uncoded_polygons=drawn.uncoded,
        repaired_polygons=drawn.repaired,
        class_area_m2={c.code: int(counts[v]) * PIXEL_M**2 for v, c in scheme.values.items()},
        unlabelled_area_m2=int(counts[0]) * PIXEL_M**2,
        attribution=attribution,
    )
    outline, numbered = lattice.outline(), _PATCH if drawn.burned is None else _POLYGON
    sidecar = folder / f"{LABELS}.aux.xml"
    return NewItem(
        geometry=geojson(outline),
        bbox=bbox(outline),
        properties={"datetime": delivery.properties["datetime"], "proj:code": grid.crs} | own.properties(),
        assets={
            "labels": NewAsset(folder / LABELS, COG, ("data", "labels"), f"Classes of {scheme.scheme}", classes),
            "labels_aux": NewAsset(sidecar, XML, ("metadata",), "Names of the classes", beside="labels"),
            "confidence": NewAsset(folder / CONFIDENCE, COG, ("data",), _CONFIDENCE, distance),
            "polygon": NewAsset(folder / POLYGON, COG, ("data",), numbered, number),
        },
        extensions=(PROJECTION_EXTENSION, CLASSIFICATION_EXTENSION),
    )
