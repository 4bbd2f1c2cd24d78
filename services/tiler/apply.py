"""Apply a task to the open cube: which merge, of which scenes, into which arrays."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from services.tiler.frame import Frame
from services.tiler.scene import Scene
from services.tiler.stage import TilerSettings
from services.tiler.update import Superseded, Tiles, update_labels, update_msi, update_olci
from shared.cube.cube import split_week
from shared.geo import TileIndex
from shared.items.keys import product_number
from shared.stage import Task

Merger = Callable[[Task[TilerSettings]], list[TileIndex]]


def apply(task: Task[TilerSettings], sensor: str) -> list[TileIndex]:
    """Merge the task's scene, frame or labels, or take a withdrawn product out.

    Returns:
        The tiles that it touches, whoever wins there; a function of the inputs alone.
    """
    mergers: dict[str, Merger] = {
        "msi": _msi,
        "olci": _olci,
        "labels": _labels,
    }
    return mergers[sensor](task)


def _msi(task: Task[TilerSettings]) -> list[TileIndex]:
    year, week = split_week(task.job.week)
    opened = partial(Scene, task.area.grid, task.area.level, task.settings.threads)
    scene = None if _is_withdrawal(task) else opened(*task.inputs)
    # The context holds masks and scenes one after the other, as the plan asked for them.
    pairs = zip(task.context[::2], task.context[1::2], strict=True)
    others = {product_number(mask.item.product): partial(opened, mask, other) for mask, other in pairs}

    def change(group: Any, again: Tiles | None) -> None:
        update_msi(group[str(year)], week, scene, others, _outdated(task), again, task.progress)

    _write(task, year, change)
    return scene.touched() if scene else []


def _olci(task: Task[TilerSettings]) -> list[TileIndex]:
    year, week = split_week(task.job.week)
    frame = None if _is_withdrawal(task) else Frame(task.area.grid, task.inputs[0])
    others = {product_number(other.item.product): partial(Frame, task.area.grid, other) for other in task.context}

    def change(group: Any, again: Tiles | None) -> None:
        update_olci(group[str(year)], week, frame, others, _outdated(task), again)

    _write(task, year, change)
    return frame.touched(*frame.pixels()) if frame else []


def _labels(task: Task[TilerSettings]) -> list[TileIndex]:
    scheme, raster, rank = task.area.labels, task.inputs[0].paths["labels"], list(task.job.notes["rank"])
    _write(task, None, lambda group, again: update_labels(group, scheme.scheme, len(scheme.classes), raster, rank))
    return []


def _write(task: Task[TilerSettings], year: int | None, change: Callable[[Any, Tiles | None], None]) -> None:
    assert task.cube is not None
    # What another tiler found superseded meanwhile is no longer to be merged; its update says what it would touch.
    with suppress(Superseded):
        task.cube.write(change, year, task.job.product)


def _is_withdrawal(task: Task[TilerSettings]) -> bool:
    return task.inputs[0].item.collection == "withdrawals"


def _outdated(task: Task[TilerSettings]) -> list[int]:
    return [product_number(product) for product in task.job.notes.get("outdated", ())]
