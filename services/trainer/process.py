"""The trainer's declaration: a training request becomes a model, once for each cube state."""

from __future__ import annotations

from services.trainer.item import describe, write_split
from services.trainer.stage import STAGE
from shared.items.stac import CLASSIFICATION_EXTENSION, HTML, JSON, MLM_EXTENSION, TAR
from shared.sensors import CUBE_BANDS
from shared.stage.declare import Job, NewAsset, NewItem, Settings, Task
from shared.stage.due import job_digest


def process(task: Task[Settings]) -> NewItem:
    """Train, score, export and describe.

    Raises:
        RejectScene: there is nothing to train on.
    """
    # Here, not above: planning must not wait seconds for TensorFlow.
    from services.trainer.determinism import set_environment

    set_environment()
    from services.trainer.card import write_card
    from services.trainer.export import export, pack, probe_sha256, weights_sha256
    from services.trainer.train import train

    assert task.cube is not None
    area, folder, snapshot = task.area, task.folder, task.cube.snapshot
    task.cube.keep(f"trained-{snapshot}")  # what a model was trained on stays readable
    outcome = train(task.cube, area, task.progress)

    saved = folder / "saved_model"
    export(outcome.model, saved)
    pack(saved, folder / "model.tar")
    identity = {
        "landstream:cube_state": task.job.parameters["cube_state"],
        "landstream:training": task.job.parameters["training"],
        "landstream:snapshot": snapshot,
        "landstream:model_name": area.name,
        "landstream:model_version": version_of(task.job, task.settings),
        "landstream:weights_sha256": weights_sha256(outcome.model),
        "landstream:probe_sha256": probe_sha256(saved),
        "landstream:weeks": list(outcome.weeks),
        "landstream:windows": outcome.windows,
        "landstream:metrics": outcome.metrics,
        "landstream:folds": outcome.folds,
        "landstream:determinism": outcome.determinism,
    }
    properties = describe(area, identity, outcome.model.count_params())
    split = write_split(area, outcome.holdout, outcome.fold)
    (folder / "split.json").write_text(split, encoding="utf-8")
    card = write_card(area, properties, outcome.losses, outcome.holdout)
    (folder / "card.html").write_text(card, encoding="utf-8")
    return NewItem(
        geometry=area.aoi,
        bbox=area.polygon.bounds,
        properties=properties,
        assets={
            "model": NewAsset(
                folder / "model.tar",
                TAR,
                ("mlm:model",),
                "TensorFlow SavedModel, one folder in an uncompressed tar",
                {
                    "mlm:artifact_type": "tf.keras.Model.export",
                    "bands": [{"name": n} for n in CUBE_BANDS["10m"] + CUBE_BANDS["20m"]],
                },
            ),
            "card": NewAsset(folder / "card.html", HTML, ("metadata", "overview"), "Model card"),
            "split": NewAsset(folder / "split.json", JSON, ("metadata",), "Blocks of training and tests"),
        },
        extensions=(MLM_EXTENSION, CLASSIFICATION_EXTENSION),
    )


def version_of(job: Job, settings: Settings) -> int:
    """The version folder that TF Serving wants: the digest in the item's id, as a number."""
    return int(job_digest(STAGE, job, settings), 16)


def warm_up() -> None:
    """Load TensorFlow before the first request comes."""
    from services.trainer.determinism import set_environment

    set_environment()
    import services.trainer.train  # noqa: F401 - loaded for later
