"""The trainer: a training request becomes a model, once for each cube state."""

from __future__ import annotations

import platform
from functools import partial
from typing import TYPE_CHECKING

from services.trainer.curves import write_curves, write_events
from services.trainer.item import (
    APPLICABILITY,
    CARD,
    CURVES,
    MODEL,
    SPLIT,
    TENSORBOARD,
    class_names,
    make_item,
    write_split,
)
from services.trainer.stage import STAGE
from shared.area import Area
from shared.area.training import TrainingSettings
from shared.items.collections import EVALUATIONS, HOLD_OUTS, MODEL_IMPORTS
from shared.items.ids import digest8
from shared.items.model_archive import pack
from shared.items.model_inputs import inputs_of_area
from shared.items.properties import ModelFacts
from shared.items.stac import attribution
from shared.observe.logs import get_logger
from shared.stage.declare import Job, NewItem, Settings, Task
from shared.stage.due import job_digest

if TYPE_CHECKING:
    from services.trainer.checkpoint import Part, State
    from services.trainer.descend import Losses
    from services.trainer.train import TrainingOutcome
    from shared.cube import Cube


def process(task: Task[Settings]) -> NewItem:
    """Train, score, export and describe; or check and score a model that was brought; or compare, or deal a hold-out.

    Raises:
        RejectScene: there is nothing to train on, or what was brought is not a model that maps the cube.
    """
    # The environment first: TensorFlow reads it while it is loaded.
    from services.trainer.determinism import set_environment

    set_environment()
    if task.job.collection == HOLD_OUTS:
        from services.trainer.deal import deal

        return deal(task)
    if task.job.collection == EVALUATIONS:
        from services.trainer.evaluate import evaluate

        return evaluate(task)
    if task.job.inputs[0].item.collection == MODEL_IMPORTS:
        from services.trainer.imports.publish import publish_import

        return publish_import(task, version_of(task.job, task.settings))
    from services.trainer.card import write_card
    from services.trainer.deal import holdout_of
    from services.trainer.train import train
    from shared.raster.applicability import write_applicability

    area, folder = as_requested(task.area, task.job), task.folder
    cube, part = _take_up(task, area)
    snapshot = cube.snapshot
    cube.keep(f"trained-{snapshot}")  # what a model was trained on stays readable
    steps = area.training.steps

    def report(done: int, total: int, losses: Losses) -> None:
        loss, validation = losses
        task.progress(done // steps, total // steps, "epochs", loss=loss, validation=validation)

    holdout = holdout_of(task.context[0])
    outcome = train(cube, area, holdout, report, part)
    facts = _export(outcome, snapshot, task)
    write_curves(outcome.losses, outcome.rates, folder / CURVES)
    write_events(outcome.losses, outcome.rates, folder / TENSORBOARD)
    if outcome.applicability is not None:
        (folder / APPLICABILITY).write_bytes(write_applicability(outcome.applicability))
    (folder / SPLIT).write_text(write_split(area, outcome.holdout, outcome.fold), encoding="utf-8")
    card = write_card(area, facts, outcome.losses, outcome.holdout, outcome.examples, outcome.wrong)
    (folder / CARD).write_text(card, encoding="utf-8")
    return make_item(area, facts, outcome.model.count_params(), folder)


def _take_up(task: Task[Settings], area: Area) -> tuple[Cube, Part[State]]:
    """Return the cube to train on, and what an earlier attempt left: it goes on with the snapshot that it read."""
    import numpy as np

    from services.trainer.checkpoint import Checkpoints, Part
    from services.trainer.determinism import facts_of

    assert task.cube is not None
    checkpoints = Checkpoints(
        {
            "job": f"{task.job.product}--{job_digest(STAGE, task.job, task.settings)}",
            "stage_version": STAGE.version,
            "training": area.training.model_dump(mode="json"),
            "labels": digest8(area.labels.model_dump(mode="json")),
            "hold_out": task.context[0].item.id,
            "determinism": facts_of(area.training.seed),
            "numpy": np.__version__,
            "machine": platform.machine(),
        },
        task.scratch,
        task.folder,
    )
    cube, reached = task.cube, checkpoints.load()
    if reached is not None and reached.snapshot != cube.snapshot:
        try:
            cube = cube.as_of(reached.snapshot)
        except LookupError as error:
            get_logger(stage=STAGE.name).warning("training begins anew: what it read is gone", error=str(error))
            reached = None
    return cube, Part(reached.state if reached else None, partial(checkpoints.save, cube.snapshot))


def as_requested(area: Area, job: Job) -> Area:
    """Return the area with the training settings that the request names: those of the area file may be others now."""
    training = TrainingSettings.model_validate(job.parameters["training"])
    return area.model_copy(update={"training": training})


def _export(outcome: TrainingOutcome, snapshot: str, task: Task[Settings]) -> ModelFacts:
    """Write the model to the task's folder, and gather what is known of it."""
    from services.trainer.export import export, probe_sha256, weights_sha256

    area, saved = task.area, task.folder / "saved_model"
    training = TrainingSettings.model_validate(task.job.parameters["training"])
    inputs = inputs_of_area(area, training)
    export(outcome.model, inputs, saved)
    pack(saved, task.folder / MODEL)
    return ModelFacts(
        cube_state=task.job.parameters["cube_state"],
        training=task.job.parameters["training"],
        snapshot=snapshot,
        model_name=area.name,
        model_version=version_of(task.job, task.settings),
        hold_out=task.context[0].item.id,
        weights_sha256=weights_sha256(outcome.model),
        probe_sha256=probe_sha256(inputs, saved),
        weeks=outcome.weeks,
        windows=outcome.windows,
        metrics=outcome.metrics,
        folds=outcome.folds,
        weights=outcome.weights,
        determinism=outcome.determinism,
        classes=class_names(area),
        attribution=attribution({week[:4] for week in outcome.weeks}, area.labels.attribution),
    )


def version_of(job: Job, settings: Settings) -> int:
    """Return the version folder that TF Serving wants: the digest in the item's id, as a number."""
    return int(job_digest(STAGE, job, settings), 16)


def warm_up() -> None:
    """Load TensorFlow before the first request comes."""
    from services.trainer.determinism import set_environment

    set_environment()
    import services.trainer.train  # noqa: F401 - loaded for later
