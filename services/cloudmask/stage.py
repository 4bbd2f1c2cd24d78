"""Cloud mask: one mask for each current Sentinel-2 scene."""

from __future__ import annotations

from pydantic import Field

from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.collections import MASKS, SENTINEL_2_L1C, SENTINEL_2_L2A
from shared.items.item import Item
from shared.sensors import msi_assets
from shared.stage import AFFECTS_RESULT, Collection, Deployment, Job, Settings, Source, Stage

MSI_SCENES = (SENTINEL_2_L2A, SENTINEL_2_L1C)


class CloudmaskSettings(Settings):
    """Settings of cloudmask."""

    cloud_threshold: float = Field(default=0.4, gt=0, lt=1, json_schema_extra=AFFECTS_RESULT)
    """Probability (0 to 1) above which an L1C pixel is cloud; 0.4 is the value that s2cloudless's authors recommend."""


def plan(item: Item, catalogue: Catalogue, area: Area, settings: CloudmaskSettings) -> list[Job]:
    """Plan one job for a current scene of the area's level, or of either if it says so, where it takes Sentinel-2."""
    if item.collection not in MSI_SCENES or "s2" not in area.sensors or not catalogue.is_current(item):
        return []
    l2a = item.collection == SENTINEL_2_L2A
    if l2a != (area.level == "l2a") and not area.mask_other_level:
        return []
    return [
        Job(
            collection=MASKS,
            product=item.product,
            week=item.week,
            inputs=(Source(item, ("SCL_20m",) if l2a else msi_assets("l1c")),),
            parameters={"thin_cirrus_is_cloud": area.thin_cirrus_is_cloud} if l2a else {},
        )
    ]


STAGE = Stage(
    name="cloudmask",
    version=1,
    consumes=MSI_SCENES,
    publishes=(Collection(MASKS, "Cloud masks", "One mask per Sentinel-2 scene, with dilation."),),
    plan=plan,
    process="services.cloudmask.process:process",
    settings=CloudmaskSettings,
    deployment=Deployment(
        p99_reason="A full Sentinel-2 tile takes 187 s of CPU through ingest, mask and merge together.",
        memory_reason="A worker peaks at 1.6 GB on a full tile, the service beside it takes 150 MB.",
        cpu=1,
    ),
)
