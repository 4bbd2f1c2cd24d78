"""Compare a challenger with the champion on blocks that neither was trained on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from services.trainer.bootstrap import BlockConfusions, intervals
from services.trainer.deal import holdout_of
from services.trainer.determinism import pin
from services.trainer.export import DEFAULT
from services.trainer.judging import verdict_of
from services.trainer.places import list_places
from services.trainer.predict import batch_of
from services.trainer.reading import read_in_batches
from services.trainer.score import measure
from services.trainer.split import HELD_OUT, TRAIN
from services.trainer.train import MOST_TESTING
from services.trainer.windows import Windows
from shared.items.model_archive import unpack
from shared.items.model_inputs import ModelInputs, inputs_of_model
from shared.items.properties import EvaluationFacts, HoldOutFacts
from shared.stage.declare import NewItem, Settings, Task

Array = npt.NDArray[np.uint8]


def evaluate(task: Task[Settings]) -> NewItem:
    """Score both models on the blocks of the hold-out, in all weeks that the cube holds now.

    Blocks that a model was trained on before hold-outs had numbers are left out.
    """
    assert task.cube is not None
    pin(0)
    area, cube = task.area, task.cube
    snapshot = cube.snapshot
    models, hold_out = task.inputs[:2], task.inputs[2]
    held_out = holdout_of(hold_out) == HELD_OUT
    for model in models:
        if "split" in model.paths:  # an imported model has none, and has seen nothing as far as is known
            held_out &= holdout_of(model) != TRAIN
    observed = {week: cube.observed(week) for week in cube.weeks()}
    places = list_places(held_out, observed, MOST_TESTING, 0)
    classes = len(area.labels.classes)
    scored = [BlockConfusions(classes) for _ in models]
    with tempfile.TemporaryDirectory(dir=task.folder) as scratch:
        loaded = [
            tf.saved_model.load(str(unpack(model.paths["model"], Path(scratch), number)))
            for number, model in enumerate(models)
        ]
        read = [inputs_of_model(model.item) for model in models]
        size = batch_of(_all_of(read))
        for done, batch in enumerate(read_in_batches(cube, places, size, _all_of(read))):
            task.progress(done * size, len(places), "windows")
            for confusions, mapped in zip(scored, _map(loaded, read, batch, size), strict=True):
                confusions.add(batch.places, batch.inner(batch.labels), batch.inner(mapped))
    challenger, champion = (model.item for model in models)
    blocks = [confusions.blocks for confusions in scored]
    gain = intervals(blocks[0], blocks[1], percent=task.job.parameters["percent"])
    allowance = task.job.notes["allowance"]
    scores = [measure(confusions.total) | {"interval_95": intervals(confusions.blocks)} for confusions in scored]
    facts = EvaluationFacts(
        challenger=challenger.id,
        champion=champion.id,
        promotion=task.job.notes["promotion"],
        hold_out=HoldOutFacts.of(hold_out.item).number,
        verdict=verdict_of(gain, allowance, len(blocks[0])),
        gain=gain,
        allowance=allowance,
        blocks=len(blocks[0]),
        scores=dict(zip(("challenger", "champion"), scores, strict=True)),
        snapshot=snapshot,
    )
    span = {name: challenger.properties[name] for name in ("start_datetime", "end_datetime")}
    return NewItem(
        geometry=area.aoi, bbox=area.polygon.bounds, properties={"datetime": None, **span, **facts.properties()}
    )


def _all_of(read: list[ModelInputs]) -> ModelInputs:
    """Return what has to be read for all of them."""
    bands = {name: bands for inputs in read for name, bands in inputs.bands.items()}
    return ModelInputs(bands, max(inputs.history_weeks for inputs in read))


def _map(models: list[tf.Module], read: list[ModelInputs], batch: Windows, size: int) -> Iterator[Array]:
    """Yield the map of each model: uint8 (n, y, x), 0 where not observed. Batches have one (padded) size."""
    for model, inputs in zip(models, read, strict=True):
        given = dict(zip(inputs.names, map(tf.constant, batch.padded(size, inputs)), strict=True))
        yield model.signatures[DEFAULT](**given)["class"].numpy()[: len(batch.places)]
