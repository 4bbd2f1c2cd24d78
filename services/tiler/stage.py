"""The tiler: the only writer of the cube, one transaction for each scene."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.area import Area
from shared.items.catalogue import Catalogue
from shared.items.collections import LABELS, MASKS, OLCI_GRID, UPDATES, WITHDRAWALS
from shared.items.item import Item
from shared.items.labels import label_rank
from shared.items.properties import SceneFacts, WithdrawalFacts
from shared.items.scenes import RESTORED, outdated_products, products_below
from shared.items.weeks import STATIC
from shared.sensors import msi_assets
from shared.stage import Collection, Deployment, Job, Settings, Source, Stage

FRAME_ASSETS = ("radiance", "view_zenith", "flags")
LABEL_ASSETS = ("labels", "confidence", "polygon")  # the last two are not of version 1
SENSORS: Mapping[str, str] = {MASKS: "msi", OLCI_GRID: "olci", LABELS: "labels"}
"""Collection of what is merged -> which of the cube's arrays it goes to."""

TAKEN: Mapping[str, str] = {MASKS: "s2", OLCI_GRID: "olci"}
"""Collection -> which of the area's sensors it is of; what was merged may be withdrawn all the same."""


class TilerSettings(Settings):
    """Settings of the tiler."""

    threads: int = 2
    """Threads of the JPEG2000 decoder; 2 = the cores that its pod may take."""


def plan(item: Item, catalogue: Catalogue, area: Area, settings: TilerSettings) -> list[Job]:
    """Plan one job for each current mask of the area's level and sensors, OLCI grid, label raster and withdrawal."""
    if TAKEN.get(item.collection, area.sensors[0]) not in area.sensors or not catalogue.is_current(item):
        return []
    if item.collection == WITHDRAWALS:
        return _plan_withdrawal(item, catalogue, area)
    inputs = _sources(item, catalogue, area)
    if inputs is None:
        return []
    scene = catalogue.inputs(item)[0]
    if item.week == STATIC:
        notes: dict[str, Any] = {"rank": [*label_rank(scene, catalogue), item.stage_version, item.id]}
        return [Job(UPDATES, item.product, item.week, inputs, notes=notes)]
    outdated = _outdated(item, scene, catalogue)
    context = _rest_of_week(item, catalogue, area) if outdated else ()
    return [Job(UPDATES, item.product, item.week, inputs, context=context, notes={"outdated": outdated})]


def _outdated(item: Item, scene: Item, catalogue: Catalogue) -> list[str]:
    """Return the products whose pixels are to leave the cube: older versions, and this one's other masks."""
    outdated = outdated_products(scene, catalogue)
    others = [i for s in (item, scene) for i in catalogue.of_product(s.collection, s.product, s.week) if i.id != s.id]
    return sorted({*outdated, item.product}) if others else outdated


def _plan_withdrawal(item: Item, catalogue: Catalogue, area: Area) -> list[Job]:
    """Plan to rebuild a week without a withdrawn product, or to merge a restored one again.

    What did not arrive, or was not masked yet, is not in the cube: nothing is to be done then.
    """
    said = WithdrawalFacts.of(item)
    product, week = said.product, said.week
    masks = [i for c in (MASKS, OLCI_GRID) for i in catalogue.of_product(c, product, week)]
    if not masks:
        return []
    if said.state == RESTORED:
        current = [m for m in masks if catalogue.is_current(m)]
        return _plan_restored(item, current[-1], catalogue, area) if current else []
    mask = masks[0]
    notes = {
        "sensor": SENSORS[mask.collection],
        "outdated": [product],
        "revived": products_below(catalogue.inputs(mask)[0], catalogue),
    }
    context = _rest_of_week(mask, catalogue, area)
    return [Job(UPDATES, f"{product}--withdrawn", week, (Source(item, ()),), context=context, notes=notes)]


def _plan_restored(item: Item, mask: Item, catalogue: Catalogue, area: Area) -> list[Job]:
    inputs = _sources(mask, catalogue, area)
    if inputs is None:
        return []
    outdated = _outdated(mask, catalogue.inputs(mask)[0], catalogue)
    notes = {"sensor": SENSORS[mask.collection], "outdated": outdated}
    context = _rest_of_week(mask, catalogue, area) if outdated else ()
    job_name = f"{item.product}--restored"
    return [Job(UPDATES, job_name, mask.week, (Source(item, ()), *inputs), context=context, notes=notes)]


def _sources(item: Item, catalogue: Catalogue, area: Area) -> tuple[Source, ...] | None:
    """Return what a job reads: the item and, for a mask, its scene; None where the scene is of the other level."""
    if item.collection == OLCI_GRID:
        return (Source(item, FRAME_ASSETS),)
    if item.collection == LABELS:
        return (Source(item, tuple(n for n in LABEL_ASSETS if n in item.assets or n == "labels")),)
    scene = catalogue.inputs(item)[0]
    if SceneFacts.of(scene).level != area.level:
        return None
    return Source(item, ("mask",)), Source(scene, msi_assets(area.level))


def _rest_of_week(item: Item, catalogue: Catalogue, area: Area) -> tuple[Source, ...]:
    """Return the other current scenes of the same sensor and week: what outdated tiles are rebuilt from.

    A broken one is in no tile: current it may be, where its scene has no other version.
    """
    current = catalogue.current(item.collection, item.week)
    others = [i for i in current if i.id != item.id and not any(map(catalogue.is_broken, catalogue.inputs(i)))]
    return tuple(s for i in others for s in _sources(i, catalogue, area) or ())


STAGE = Stage(
    name="tiler",
    version=1,
    consumes=(MASKS, OLCI_GRID, LABELS, WITHDRAWALS),
    publishes=(Collection(UPDATES, "Cube updates", "Which scene touched which tiles of the cube."),),
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
