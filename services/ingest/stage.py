"""Ingest: one landing unit to one item."""

from __future__ import annotations

from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.keys import LandingUnit
from shared.stage import Deployment, Job, Settings, Stage


class IngestSettings(Settings):
    """Settings of ingest."""

    max_members: int = 20_000
    """Files that a product may hold; a SAFE has about 120."""
    max_bytes: int = 64 << 30
    """Bytes that a product may unpack to; pan-European Corine has 8 GB."""
    max_ratio: int = 200
    """Unpacked to packed bytes of a large archive member; honest ones stay below 30."""
    decode: bool = True
    """Decode every image once: a checksum does not tell a picture that was written corrupt."""
    threads: int = 2
    """Threads of the JPEG2000 decoder."""


def plan(unit: LandingUnit, catalogue: Catalogue, area: Area, settings: IngestSettings) -> list[Job]:
    """Plan one job for a unit; hidden names are other programs' notes, not deliveries."""
    return [] if unit.name.startswith(".") else [Job(collection="", product="", week="", unit=unit)]


STAGE = Stage(
    name="ingest",
    version=1,
    consumes=("landing",),
    publishes=("sentinel-2-l2a", "sentinel-2-l1c", "sentinel-3-olci-l1b", "corine-land-cover"),
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
