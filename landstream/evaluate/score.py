"""Score a served model on labels, a row of tiles at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from services.inference.blend import WINDOW_PX, map_extent
from services.inference.predict import Predictor, WindowPredictor
from services.trainer.bootstrap import BlockConfusions, intervals
from services.trainer.places import Place
from services.trainer.score import measure
from services.trainer.split import BLOCK_PX
from shared.area import LabelScheme
from shared.cube.inputs import InputCube, read_inputs
from shared.geo import TILE_10M_PX
from shared.items.model_inputs import ModelInputs
from shared.raster.grid import Window

OVERLAP_PX = 64
"""As maps have it."""

Array = NDArray[Any]


class ScoredCube(InputCube, Protocol):
    """What scoring reads of a cube."""

    def observed(self, week: str) -> Array:
        """Tiles with data: bool (tile row, tile col)."""


def score(
    cube: ScoredCube,
    client: Predictor,
    rows: Iterable[tuple[int, Array]],
    weeks: list[str],
    inputs: ModelInputs,
    classes: int,
    progress: Callable[[int], None] = lambda row: None,
) -> dict[str, BlockConfusions]:
    """Map what labels lie on, in each week, and compare: the map of a pixel is that of a whole map of the week.

    Args:
        cube: what is mapped.
        client: of a server that holds the model.
        rows: (tile row, uint8 (256, nx): classes, 0 = no label).
        weeks: weeks to map.
        inputs: what the model reads.
        classes: number of classes of the area.
        progress: called with each tile row that is done.

    Returns:
        Week -> confusions by block.
    """
    found = {week: BlockConfusions(classes) for week in weeks}
    observed = {week: np.any([cube.observed(read) for read in inputs.weeks_of(week)], axis=0) for week in weeks}
    for row, labels in rows:
        wanted = np.zeros_like(observed[weeks[0]])
        wanted[row] = labels.reshape(TILE_10M_PX, -1, TILE_10M_PX).any(axis=(0, 2))
        extent = Window(row * TILE_10M_PX, 0, TILE_10M_PX, labels.shape[1])
        for week in weeks:
            asked = observed[week] & wanted
            if asked.any():
                read = partial(read_inputs, cube, inputs, week, side=WINDOW_PX)
                predictor = WindowPredictor(read, client, classes, patient=False)
                values, _ = map_extent(extent, asked, predictor.predict, classes, OVERLAP_PX)
                _add(found[week], week, row, labels, values)
        progress(row)
    return found


def _add(found: BlockConfusions, week: str, tile_row: int, labels: Array, values: Array) -> None:
    """Take a row of tiles into account, block by block."""
    per_tile = TILE_10M_PX // BLOCK_PX
    blocks = [a.reshape(per_tile, BLOCK_PX, -1, BLOCK_PX).swapaxes(1, 2) for a in (labels, values)]
    chosen = np.argwhere(blocks[0].any(axis=(2, 3)))
    places = [Place(week, tile_row * per_tile + int(row), int(col)) for row, col in chosen]
    if places:
        reference, mapped = (np.stack([b[row, col] for row, col in chosen]) for b in blocks)
        found.add(places, reference, mapped)


def in_blocks(lines: Sequence[str], tile_row: int, nx: int) -> Array:
    """Return the pixels of a row of tiles that lie in training blocks: bool (256, nx).

    Args:
        lines: a sign for each block, 1 = trained on; no line = nothing is known.
        tile_row: the row of tiles.
        nx: its width in 10 m px.
    """
    per_tile = TILE_10M_PX // BLOCK_PX
    inside = np.zeros((TILE_10M_PX, nx), bool)
    for i, line in enumerate(lines[tile_row * per_tile : (tile_row + 1) * per_tile]):
        trained = np.array([sign == "1" for sign in line])
        inside[i * BLOCK_PX : (i + 1) * BLOCK_PX] = trained.repeat(BLOCK_PX)
    return inside


def report(found: Mapping[str, BlockConfusions], scheme: LabelScheme) -> dict[str, Any]:
    """Return the measures over all weeks, those of each class and of each week; a block is drawn with all its weeks."""
    pooled = BlockConfusions.of(found.values(), len(scheme.classes))
    measures = measure(pooled.total)
    return {
        **{name: measures[name] for name in ("accuracy", "miou", "f1_macro", "majority_accuracy", "pixels")},
        "blocks": len(pooled.blocks),
        "interval_95": intervals(pooled.blocks),
        "per_class": {
            str(v): {"code": c.code, "name": c.name, **measures["per_class"][str(v)]} for v, c in scheme.values.items()
        },
        "by_week": {
            week: {name: measure(scored.total)[name] for name in ("accuracy", "miou", "pixels")}
            for week, scored in found.items()
            if len(scored.blocks)
        },
        "confusion": pooled.total.tolist(),
    }
