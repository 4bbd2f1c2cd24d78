"""Rasterize: the winning label delivery to one class raster on the area's grid."""

from __future__ import annotations

from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.item import Item
from shared.stage import Deployment, Job, Settings, Source, Stage

COLLECTION = "corine-land-cover"


def plan(item: Item, catalogue: Catalogue, area: Area, settings: Settings) -> list[Job]:
    """Plan a job for the one delivery that wins; the others stay registered and are not burned."""
    winner = catalogue.label_winner() if item.collection == COLLECTION else None
    if winner is None or (winner.collection, winner.id) != (item.collection, item.id):
        return []
    return [Job(collection="land-cover-labels", product=item.product, week=item.week, inputs=(Source(item),))]


STAGE = Stage(
    name="rasterize",
    version=1,
    consumes=(COLLECTION,),
    publishes=("land-cover-labels",),
    plan=plan,
    process="services.rasterize.process:process",
    deployment=Deployment(
        jobs_each=1,
    ),
)
