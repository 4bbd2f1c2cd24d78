"""Score a model that people bring on the hold-out, as ours are: the same blocks, windows and measures."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy.typing as npt

from services.trainer.bootstrap import BlockConfusions
from services.trainer.export import DEFAULT
from services.trainer.imports.signature import answer, check_answers, seen_of
from services.trainer.places import count_places, list_places
from services.trainer.predict import BATCH
from services.trainer.reading import TrainingCube, read_in_batches
from services.trainer.split import HELD_OUT
from services.trainer.train import MOST_TESTING
from shared.items.model_inputs import ModelInputs
from shared.stage.declare import Report

Array = npt.NDArray[Any]


class Scored(NamedTuple):
    """What the hold-out said of a model.

    Attributes:
        confusions: of each block.
        weeks: that were mapped, ascending.
        windows: how many, and of how many.
    """

    confusions: BlockConfusions
    weeks: tuple[str, ...]
    windows: list[int]


def score(model: Any, cube: TrainingCube, holdout: Array, classes: int, progress: Report) -> Scored:
    """Map the blocks of the hold-out in all weeks that the cube holds.

    Args:
        model: as `tf.saved_model.load` returns it.
        cube: read at one snapshot.
        holdout: uint8 (block row, block col), as of `services.trainer.split.deal_holdout`.
        classes: number of classes of the area.
        progress: called with (windows done, windows in total).

    Raises:
        UnfitModel: it fails on a window, or leaves out pixels that were observed.
    """
    observed = {week: cube.observed(week) for week in cube.weeks()}
    places = list_places(holdout == HELD_OUT, observed, MOST_TESTING, 0)
    confusions, inputs = BlockConfusions(classes), ModelInputs()
    for done, batch in enumerate(read_in_batches(cube, places, BATCH, inputs)):
        progress(done * BATCH, len(places), "windows")
        fine, coarse = batch.padded(BATCH, inputs)
        answers = answer(model, DEFAULT, fine, coarse)
        check_answers(answers, seen_of(fine, coarse), classes, DEFAULT)
        mapped = answers["class"][: len(batch.places)]
        confusions.add(batch.places, batch.inner(batch.labels), batch.inner(mapped))
    weeks = tuple(sorted({place.week for place in places}))
    return Scored(confusions, weeks, [len(places), count_places(holdout == HELD_OUT, observed)])
