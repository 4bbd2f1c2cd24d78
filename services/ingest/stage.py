"""Ingest: one landing unit to one item."""

from __future__ import annotations

from shared.area import Area
from shared.items.catalogue import Catalogue, latest_of_product
from shared.items.collections import (
    DELIVERED_MASKS,
    LABEL_POLYGONS,
    LABEL_RASTERS,
    OLCI_L1B,
    SENTINEL_2_L1C,
    SENTINEL_2_L2A,
)
from shared.items.landing import LandingUnit
from shared.items.scenes import is_current_scene
from shared.stage import Collection, Deployment, Job, LandingSource, Settings, Stage


class IngestSettings(Settings):
    """Settings of ingest."""

    max_members: int = 20_000
    """Files that a product may hold; a SAFE holds about 120."""
    max_bytes: int = 64 << 30
    """Bytes to which a product may unpack (64 GiB); pan-European Corine takes 8 GB."""
    max_ratio: int = 200
    """Ratio of unpacked to packed bytes that a large archive member may have; honest ones stay below 30."""
    decode: bool = False
    """Whether to decode every image on arrival, too, which does half of a scene's work twice; else a picture that was
    corrupt when it was written is found by the stage that reads it."""
    threads: int = 2
    """Threads of the JPEG2000 decoder, where it decodes; 2 = the cores that its pod may take."""


def plan(unit: LandingUnit, catalogue: Catalogue, area: Area, settings: IngestSettings) -> list[Job]:
    """Plan one job for a unit; hidden names are other programs' notes, not deliveries."""
    return [] if unit.name.startswith(".") else [Job(collection="", product="", week="", delivery=LandingSource(unit))]


STAGE = Stage(
    name="ingest",
    version=1,
    consumes=("landing",),
    publishes=(
        Collection(
            SENTINEL_2_L2A, "Sentinel-2 L2A", "Bottom-of-atmosphere scenes as delivered.", current=is_current_scene
        ),
        Collection(
            SENTINEL_2_L1C, "Sentinel-2 L1C", "Top-of-atmosphere scenes as delivered.", current=is_current_scene
        ),
        Collection(
            OLCI_L1B, "Sentinel-3 OLCI L1B", "Top-of-atmosphere radiance frames as delivered.", current=is_current_scene
        ),
        Collection(
            LABEL_POLYGONS,
            "Label polygons",
            "Corine Land Cover and other deliveries of label polygons, or points.",
            current=latest_of_product,
        ),
        Collection(
            LABEL_RASTERS,
            "Label rasters",
            "Rasters of classes as delivered: Corine Land Cover, WorldCover, maps of one's own.",
            current=latest_of_product,
        ),
        Collection(
            DELIVERED_MASKS,
            "Delivered masks",
            "Cloud masks of scenes that others made, as delivered: Fmask, s2cloudless, OmniCloudMask.",
            current=latest_of_product,
        ),
    ),
    plan=plan,
    process="services.ingest.process:process",
    settings=IngestSettings,
    incomplete="services.ingest.completeness:why_incomplete",
    grace_s=3.0,
    deployment=Deployment(
        p99_reason="A full Sentinel-2 tile takes 187 s of CPU through ingest, mask and merge together.",
        memory_reason="A worker peaks at 1.6 GB on a full tile, the service beside it takes 150 MB.",
    ),
)
