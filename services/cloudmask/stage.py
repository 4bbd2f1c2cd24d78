"""Cloud mask: one mask for each current Sentinel-2 scene, of our own or of one that others made."""

from __future__ import annotations

from pydantic import Field

from services.cloudmask.choose import chosen_mask, is_current_mask, source_of
from shared.area import Area
from shared.area.masks import OWN
from shared.items.catalogue import Catalogue
from shared.items.collections import DELIVERED_MASKS, MASKS, SENTINEL_2_L1C, SENTINEL_2_L2A
from shared.items.item import Item
from shared.items.properties import DeliveredMaskFacts
from shared.sensors import msi_assets
from shared.stage import AFFECTS_RESULT, Collection, Deployment, Job, Settings, Source, Stage

MSI_SCENES = (SENTINEL_2_L2A, SENTINEL_2_L1C)


class CloudmaskSettings(Settings):
    """Settings of cloudmask."""

    cloud_threshold: float = Field(default=0.4, gt=0, lt=1, json_schema_extra=AFFECTS_RESULT)
    """Probability (0 to 1) above which an L1C pixel is cloud; 0.4 is the value that s2cloudless's authors recommend."""


def plan(item: Item, catalogue: Catalogue, area: Area, settings: CloudmaskSettings) -> list[Job]:
    """Plan one job for a current scene of the area's level, or of either if it says so, where it takes Sentinel-2."""
    if "s2" not in area.sensors or not catalogue.is_current(item):
        return []
    if item.collection == DELIVERED_MASKS:
        product = DeliveredMaskFacts.of(item).product
        scenes = (s for c in MSI_SCENES for s in catalogue.of_product(c, product, item.week))
        return [job for scene in scenes for job in plan(scene, catalogue, area, settings)]
    if item.collection not in MSI_SCENES:
        return []
    l2a = item.collection == SENTINEL_2_L2A
    if l2a != (area.level == "l2a") and not area.mask_other_level:
        return []
    chosen = chosen_mask(item, catalogue, area)
    if chosen == OWN:
        own = Source(item, ("SCL_20m",) if l2a else msi_assets("l1c"))
        parameters = {"thin_cirrus_is_cloud": area.thin_cirrus_is_cloud} if l2a else {}
        return [Job(MASKS, item.product, item.week, (own,), parameters)]
    if isinstance(chosen, str):
        return []
    inputs = (Source(item, ()), Source(chosen, ("mask",)))
    return [Job(MASKS, item.product, item.week, inputs, {"mask": source_of(chosen, area).model_dump(mode="json")})]


STAGE = Stage(
    name="cloudmask",
    version=1,
    consumes=(*MSI_SCENES, DELIVERED_MASKS),
    publishes=(
        Collection(MASKS, "Cloud masks", "One mask per Sentinel-2 scene, with dilation.", current=is_current_mask),
    ),
    plan=plan,
    process="services.cloudmask.process:process",
    settings=CloudmaskSettings,
    deployment=Deployment(
        p99_reason="A full Sentinel-2 tile takes 187 s of CPU through ingest, mask and merge together.",
        memory_reason="A worker peaks at 1.6 GB on a full tile, the service beside it takes 150 MB.",
        cpu=1,
    ),
)
