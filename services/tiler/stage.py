"""The tiler: the only writer of the cube, one transaction a scene."""

from __future__ import annotations

from typing import Any

from services.tiler.frame import Frame
from services.tiler.scene import Scene, assets_of
from services.tiler.update import update_labels, update_msi, update_olci
from shared.area import Area
from shared.cube.cube import split_week
from shared.geo import TileIndex
from shared.items.catalogue import Catalogue, runs_of
from shared.items.item import Item
from shared.items.keys import STATIC, product_number, rfc3339, week_bounds
from shared.stage import Job, LocalItem, NewItem, Settings, Source, Stage, Task

FRAME_ASSETS = ("radiance", "view_zenith", "flags")


def plan(item: Item, catalogue: Catalogue, area: Area, settings: Settings) -> list[Job]:
    """One job for each current mask of the area's level, OLCI grid and label raster, and for each withdrawal."""
    if item.collection == "withdrawals":
        return _plan_withdrawal(item, catalogue, area)
    if not catalogue.is_current(item):
        return []
    inputs = _sources(item, catalogue, area)
    if inputs is None:
        return []
    scene = catalogue.inputs(item)[0]
    outdated = catalogue.outdated(scene) if item.week != STATIC else []
    context = _rest_of_week(item, catalogue, area) if outdated else ()
    return [Job("cube-updates", item.product, item.week, inputs, context=context, notes={"outdated": outdated})]


def _plan_withdrawal(item: Item, catalogue: Catalogue, area: Area) -> list[Job]:
    product = str(item.properties["landstream:product"])
    masks = [i for c in ("cloud-masks", "olci-grid") for i in catalogue.items(c) if i.product == product]
    if not masks:
        return []
    context = _rest_of_week(masks[0], catalogue, area)
    notes = {"outdated": [product], "sensor": _sensor(masks[0])}
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
    return Source(item, ("mask",)), Source(scene, assets_of(area.level))


def _rest_of_week(item: Item, catalogue: Catalogue, area: Area) -> tuple[Source, ...]:
    """The other current scenes of the same sensor and week: what outdated tiles are rebuilt from."""
    others = [i for i in catalogue.current(item.collection, item.week) if i.id != item.id]
    return tuple(s for i in others for s in _sources(i, catalogue, area) or ())


def _sensor(item: Item) -> str:
    return {"cloud-masks": "msi", "olci-grid": "olci", "land-cover-labels": "labels"}[item.collection]


def process(task: Task) -> NewItem:
    """Merge one scene, frame or label raster into the cube, or take a withdrawn product out."""
    assert task.cube is not None
    first = task.inputs[0].item
    sensor = str(task.job.notes.get("sensor") or _sensor(first))
    touched = _MERGERS[sensor](task)
    p = first.properties
    if task.job.week == STATIC:
        times: dict[str, Any] = {"datetime": p["datetime"]}
    else:
        start, end = map(rfc3339, week_bounds(task.job.week))
        times = {"datetime": None, "start_datetime": start, "end_datetime": end}
    west, south, east, north = first.json["bbox"]
    properties = {
        **times,
        "landstream:sensor": sensor,
        "landstream:week": task.job.week,
        "landstream:product": p.get("landstream:product", task.job.product),
        "landstream:tiles": runs_of(touched),
        "landstream:attribution": p.get("landstream:attribution", ""),
    }
    return NewItem(first.json["geometry"], (west, south, east, north), properties)


def _merge_msi(task: Task) -> list[TileIndex]:
    year, week = split_week(task.job.week)
    pairs = _pairs(task.context)
    withdrawal = task.inputs[0].item.collection == "withdrawals"
    scene = None if withdrawal else Scene(task.area.grid, task.area.level, *task.inputs)
    others = [lambda m=m, s=s: Scene(task.area.grid, task.area.level, m, s) for m, s in pairs]
    _write(task, year, lambda group: update_msi(group[str(year)], week, scene, others, _outdated(task), task.progress))
    return scene.touched() if scene else []


def _merge_olci(task: Task) -> list[TileIndex]:
    year, week = split_week(task.job.week)
    withdrawal = task.inputs[0].item.collection == "withdrawals"
    frame = None if withdrawal else Frame(task.area.grid, task.inputs[0])
    others = [lambda o=o: Frame(task.area.grid, o) for o in task.context]
    _write(task, year, lambda group: update_olci(group[str(year)], week, frame, others, _outdated(task)))
    return frame.touched(*frame.pixels()) if frame else []


def _merge_labels(task: Task) -> list[TileIndex]:
    scheme = task.area.labels
    raster = task.inputs[0].paths["labels"]
    _write(task, None, lambda group: update_labels(group, scheme.scheme, len(scheme.classes), raster))
    return []


_MERGERS = {"msi": _merge_msi, "olci": _merge_olci, "labels": _merge_labels}


def _write(task: Task, year: int | None, change: Any) -> None:
    assert task.cube is not None
    task.cube.write(change, year, task.job.product)


def _outdated(task: Task) -> list[int]:
    return [product_number(p) for p in task.job.notes.get("outdated", ())]


def _pairs(items: tuple[LocalItem, ...]) -> list[tuple[LocalItem, LocalItem]]:
    """(mask, scene) pairs, as `_sources` gives them one after the other."""
    return list(zip(items[::2], items[1::2], strict=True))


STAGE = Stage(
    name="tiler",
    version=1,
    consumes=("cloud-masks", "olci-grid", "land-cover-labels", "withdrawals"),
    publishes=("cube-updates",),
    plan=plan,
    process=process,
    cube="write",
)
