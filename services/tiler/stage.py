"""The tiler: the only writer of the cube, one transaction a scene."""

from __future__ import annotations

from typing import Any

from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.item import Item
from shared.items.keys import STATIC
from shared.sensors import msi_assets
from shared.stage import Deployment, Job, Settings, Source, Stage

FRAME_ASSETS = ("radiance", "view_zenith", "flags")


class TilerSettings(Settings):
    """Settings of the tiler."""

    threads: int = 2
    """Threads of the JPEG2000 decoder."""


def plan(item: Item, catalogue: Catalogue, area: Area, settings: TilerSettings) -> list[Job]:
    """One job for each current mask of the area's level, OLCI grid and label raster, and for each withdrawal."""
    if item.collection == "withdrawals":
        return _plan_withdrawal(item, catalogue, area)
    if not catalogue.is_current(item):
        return []
    inputs = _sources(item, catalogue, area)
    if inputs is None:
        return []
    scene = catalogue.inputs(item)[0]
    if item.week == STATIC:
        notes: dict[str, Any] = {"rank": [*catalogue.label_rank(scene), item.stage_version, item.id]}
        return [Job("cube-updates", item.product, item.week, inputs, notes=notes)]
    outdated = _outdated(item, scene, catalogue)
    context = _rest_of_week(item, catalogue, area) if outdated else ()
    return [Job("cube-updates", item.product, item.week, inputs, context=context, notes={"outdated": outdated})]


def _outdated(item: Item, scene: Item, catalogue: Catalogue) -> list[str]:
    """Products whose pixels may be in the cube and are to leave it: older versions, and this one's other masks."""
    outdated = catalogue.outdated(scene)
    others = [
        i for s in (item, scene) for i in catalogue.items(s.collection) if i.product == s.product and i.id != s.id
    ]
    return sorted({*outdated, item.product}) if others else outdated


def _plan_withdrawal(item: Item, catalogue: Catalogue, area: Area) -> list[Job]:
    product = str(item.properties["landstream:product"])
    masks = [i for c in ("cloud-masks", "olci-grid") for i in catalogue.items(c) if i.product == product]
    if not masks:
        return []
    context = _rest_of_week(masks[0], catalogue, area)
    notes = {"outdated": [product], "sensor": sensor_of(masks[0])}
    inputs = (Source(item, ()),)
    return [Job("cube-updates", f"{product}--withdrawn", masks[0].week, inputs, context=context, notes=notes)]


def _sources(item: Item, catalogue: Catalogue, area: Area) -> tuple[Source, ...] | None:
    """What a job reads: the item and, for a mask, its scene; None where the scene is of the other level."""
    if item.collection == "olci-grid":
        return (Source(item, FRAME_ASSETS),)
    if item.collection == "land-cover-labels":
        return (Source(item, ("labels",)),)
    scene = catalogue.inputs(item)[0]
    if scene.properties["landstream:level"] != area.level:
        return None
    return Source(item, ("mask",)), Source(scene, msi_assets(area.level))


def _rest_of_week(item: Item, catalogue: Catalogue, area: Area) -> tuple[Source, ...]:
    """The other current scenes of the same sensor and week: what outdated tiles are rebuilt from."""
    others = [i for i in catalogue.current(item.collection, item.week) if i.id != item.id]
    return tuple(s for i in others for s in _sources(i, catalogue, area) or ())


def sensor_of(item: Item) -> str:
    """`msi`, `olci` or `labels`: which of the cube's arrays a mask, grid or label raster goes to."""
    return {"cloud-masks": "msi", "olci-grid": "olci", "land-cover-labels": "labels"}[item.collection]


STAGE = Stage(
    name="tiler",
    version=1,
    consumes=("cloud-masks", "olci-grid", "land-cover-labels", "withdrawals"),
    publishes=("cube-updates",),
    plan=plan,
    process="services.tiler.process:process",
    settings=TilerSettings,
    cube="write",
    deployment=Deployment(
        p99_reason="A full Sentinel-2 tile takes 187 s of CPU through ingest, mask and merge together.",
        memory_reason="A worker peaks at 1.6 GB on a full tile, the service beside it takes 150 MB.",
        cpu=1,
    ),
)
