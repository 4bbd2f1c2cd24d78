"""Deal the blocks of labelled ground to training and hold-out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from services.trainer.hold_outs import HOLD_OUT
from services.trainer.item import class_names, read_blocks, write_split
from services.trainer.reading import TrainingCube
from services.trainer.split import HELD_OUT, TRAIN, count_blocks, deal_holdout
from shared.area import Area
from shared.geo import TILE_10M_PX
from shared.items.properties import HoldOutFacts
from shared.items.stac import JSON
from shared.stage.declare import LocalItem, NewAsset, NewItem, Settings, Task

Array = npt.NDArray[Any]


def deal(task: Task[Settings]) -> NewItem:
    """Make a hold-out of the labels that the cube holds and of the hold-out before it."""
    assert task.cube is not None
    area = task.area
    counts = count_labels(task.cube, len(area.labels.classes))
    before = next((holdout_of(item) for item in task.context), None)
    holdout = deal_holdout(counts, before)
    path = task.folder / "hold-out.json"
    path.write_text(write_split(area, holdout), encoding="utf-8")
    facts = HoldOutFacts(
        number=task.job.parameters["number"],
        labels=tuple(task.job.notes["labels"]),
        before=next((item.item.id for item in task.context), None),
        blocks={
            "training": int((holdout == TRAIN).sum()),
            "holdout": int((holdout == HELD_OUT).sum()),
            "new": int((holdout > 0).sum() - (0 if before is None else (before > 0).sum())),
        },
        classes=_pixels(area, counts, holdout),
    )
    return NewItem(
        geometry=area.aoi,
        bbox=area.polygon.bounds,
        properties={"datetime": task.job.notes["datetime"], **facts.properties()},
        assets={HOLD_OUT: NewAsset(path, JSON, ("metadata",), "Blocks of training and hold-out")},
    )


def holdout_of(item: LocalItem) -> Array:
    """Return the blocks of a hold-out, or of the split of a model: uint8 (block row, block col)."""
    return read_blocks(item.paths[HOLD_OUT] if HOLD_OUT in item.paths else item.paths["split"])


def count_labels(cube: TrainingCube, classes: int) -> Array:
    """Count the pixels of each class in each block, a row of tiles at a time: int64 (block row, block col, class)."""
    rows, cols = cube.grid.rows, cube.grid.cols
    return np.concatenate(
        [
            count_blocks(cube.labels(row * TILE_10M_PX, 0, TILE_10M_PX, cols * TILE_10M_PX), classes)
            for row in range(rows)
        ]
    )


def _pixels(area: Area, counts: Array, holdout: Array) -> dict[str, dict[str, Any]]:
    sides = {name: counts[holdout == side].sum(axis=0) for name, side in (("training", TRAIN), ("holdout", HELD_OUT))}
    return {
        value: {**said, **{name: int(pixels[int(value) - 1]) for name, pixels in sides.items()}}
        for value, said in class_names(area).items()
    }
