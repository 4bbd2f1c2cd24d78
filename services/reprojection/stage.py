"""Reprojection: one OLCI EFR frame to the lattice."""

from __future__ import annotations

from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.collections import OLCI_GRID, OLCI_L1B
from shared.items.item import Item
from shared.sensors import OLCI_RADIANCES
from shared.stage import Collection, Deployment, Job, Settings, Source, Stage

KEPT = ("tie_geometries", "tie_geo_coordinates")
"""Delivered files that the item keeps."""


def plan(item: Item, catalogue: Catalogue, area: Area, settings: Settings) -> list[Job]:
    """Plan one job for a current frame, where the area takes OLCI."""
    if item.collection != OLCI_L1B or "olci" not in area.sensors or not catalogue.is_current(item):
        return []
    wanted = (*OLCI_RADIANCES, "geo_coordinates", "qualityFlags", *KEPT)
    return [Job(OLCI_GRID, item.product, item.week, (Source(item, wanted),))]


STAGE = Stage(
    name="reprojection",
    version=2,  # 2: the bands beside a saturated one are kept; a frame around a pole is cut opposite the area
    consumes=(OLCI_L1B,),
    publishes=(Collection(OLCI_GRID, "OLCI on a lattice", "Radiance on an EPSG:4326 lattice of 1/360 degree."),),
    plan=plan,
    process="services.reprojection.process:process",
    deployment=Deployment(
        p99_s=45,
        p99_reason="A full OLCI frame takes 42 s through ingest, reprojection and merge together.",
        memory_reason="A worker peaks at 1.5 GB on a full frame, the service beside it takes 150 MB.",
    ),
)
