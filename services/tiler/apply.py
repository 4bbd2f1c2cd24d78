"""Apply a task to the open cube: which merge, of which scenes, into which arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from services.tiler.frame import Frame
from services.tiler.merge_labels import update_labels
from services.tiler.merge_msi import SENTINEL_2
from services.tiler.merge_olci import SENTINEL_3
from services.tiler.scene import Scene
from services.tiler.stage import TilerSettings
from services.tiler.superseded import Superseded
from services.tiler.update import ObservationT, Sensor, Tiles, rebuild_then_merge
from shared.cube.cube import split_week
from shared.geo import TileIndex
from shared.items.collections import WITHDRAWALS
from shared.items.ids import product_number
from shared.stage import LocalItem, Task

if TYPE_CHECKING:
    import zarr

    from shared.cube import Cube

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
    opened = partial(Scene, task.area.grid, task.area.level, task.settings.threads)
    sources = _merged(task)
    scene = opened(*sources) if sources else None
    # The context holds masks and scenes one after the other, as the plan asked for them.
    pairs = zip(task.context[::2], task.context[1::2], strict=True)
    others = {product_number(mask.item.product): partial(opened, mask, other) for mask, other in pairs}
    merged = _update(task, SENTINEL_2, scene, others)
    if scene and not merged:
        scene.look()
    return scene.touched() if scene else []


def _olci(task: Task[TilerSettings]) -> list[TileIndex]:
    sources = _merged(task)
    frame = Frame(task.area.grid, *sources) if sources else None
    others = {product_number(other.item.product): partial(Frame, task.area.grid, other) for other in task.context}
    _update(task, SENTINEL_3, frame, others)
    return frame.touched(*frame.pixels()) if frame else []


def _labels(task: Task[TilerSettings]) -> list[TileIndex]:
    classes, rasters, rank = len(task.area.labels.classes), task.inputs[0].paths, task.job.notes["rank"]
    _cube(task).write_labels(lambda group, again: update_labels(group, classes, rasters, rank), task.job.product)
    return []


def _update(
    task: Task[TilerSettings],
    sensor: Sensor[ObservationT],
    observation: ObservationT | None,
    others: Mapping[int, Callable[[], ObservationT]],
) -> bool:
    """Change the cube; return False where another tiler found the product superseded meanwhile: it stays out."""
    year, week = split_week(task.job.week)
    outdated, revived = (list(map(product_number, task.job.notes.get(name, ()))) for name in ("outdated", "revived"))
    now = datetime.now(UTC)
    # Since something was withdrawn or restored, others may be current that were not.
    restored = [*others, *([observation.number] if observation else [])] if is_of_withdrawal(task) else []

    def change(group: zarr.Group, again: Tiles | None) -> None:
        rebuild_then_merge(
            sensor,
            group,
            week,
            observation,
            others=others,
            outdated=outdated,
            again=again,
            now=now,
            restored=restored,
            revived=revived,
            progress=task.progress,
        )

    try:
        _cube(task).write_year(year, change, task.job.product)
    except Superseded:
        return False
    return True


def _cube(task: Task[TilerSettings]) -> Cube:
    assert task.cube is not None
    return task.cube


def is_of_withdrawal(task: Task[TilerSettings]) -> bool:
    """Return whether a task follows from a product's being withdrawn or restored."""
    return task.inputs[0].item.collection == WITHDRAWALS


def _merged(task: Task[TilerSettings]) -> tuple[LocalItem, ...]:
    """Return what is merged: nothing where a product is withdrawn."""
    return task.inputs[1:] if is_of_withdrawal(task) else task.inputs
