"""Reprojection: one OLCI EFR frame to the lattice."""

from __future__ import annotations

from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.item import Item
from shared.sensors import OLCI_RADIANCES
from shared.stage import Deployment, Job, Settings, Source, Stage

COLLECTION = "sentinel-3-olci-l1b"
KEPT = ("tie_geometries", "tie_geo_coordinates")
"""Delivered files that the item keeps."""


def plan(item: Item, catalogue: Catalogue, area: Area, settings: Settings) -> list[Job]:
    """Plan one job for a current frame."""
    if item.collection != COLLECTION or not catalogue.is_current(item):
        return []
    wanted = (*OLCI_RADIANCES, "geo_coordinates", "qualityFlags", *KEPT)
    return [Job(collection="olci-grid", product=item.product, week=item.week, inputs=(Source(item, wanted),))]


STAGE = Stage(
    name="reprojection",
    version=1,
    consumes=(COLLECTION,),
    publishes=("olci-grid",),
    plan=plan,
    process="services.reprojection.process:process",
    deployment=Deployment(
        p99_s=45,
        p99_reason="A full OLCI frame takes 42 s through ingest, reprojection and merge together.",
        memory_reason="A worker peaks at 1.5 GB on a full frame, the service beside it takes 150 MB.",
    ),
)
