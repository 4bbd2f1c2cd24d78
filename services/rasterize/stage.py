"""Rasterize: the winning label delivery to rasters of class, confidence and polygon on the area's grid."""

from __future__ import annotations

from shared.area import Area
from shared.items.catalogue import Catalogue, latest_from_current_inputs
from shared.items.collections import LABELS
from shared.items.item import Item
from shared.items.labels import DELIVERIES, label_winner
from shared.stage import Collection, Deployment, Job, Settings, Source, Stage


def plan(item: Item, catalogue: Catalogue, area: Area, settings: Settings) -> list[Job]:
    """Plan a job for the one delivery that wins; the others stay registered and are not burned."""
    winner = label_winner(catalogue)
    if winner is None or winner.id != item.id:
        return []
    return [Job(LABELS, item.product, item.week, (Source(item),))]


def is_current_raster(item: Item, catalogue: Catalogue) -> bool:
    """Return whether a class raster is the latest of the delivery that wins."""
    winner = label_winner(catalogue)
    won = winner is not None and (winner.collection, winner.id) in item.derived_from
    return won and latest_from_current_inputs(item, catalogue)


STAGE = Stage(
    name="rasterize",
    version=3,  # 2: confidence and polygon beside the classes; 3: invalid polygons are repaired
    consumes=DELIVERIES,
    publishes=(
        Collection(LABELS, "Land-cover labels", "Labels at 10 m on the area's grid.", current=is_current_raster),
    ),
    plan=plan,
    process="services.rasterize.process:process",
    deployment=Deployment(
        jobs_each=1,
    ),
)
