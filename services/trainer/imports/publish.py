"""A model that people bring becomes a model of the store: checked, loaded, probed, scored, described."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import tensorflow as tf

from services.trainer.deal import holdout_of
from services.trainer.determinism import pin
from services.trainer.export import probe_sha256
from services.trainer.imports.card import write_card
from services.trainer.imports.graph import UnsafeGraph, read_graph
from services.trainer.imports.score import score
from services.trainer.imports.signature import UnfitModel, check_signatures, probe
from services.trainer.imports.weights import Weights, weights_of
from services.trainer.item import CARD, MODEL, class_names, describe_signature, model_asset
from services.trainer.metrics import hold_out_metrics
from shared.area import Area
from shared.items.model_archive import UnsafeModel, pack, unpack
from shared.items.model_card import BadCard, ModelCard, read_card
from shared.items.model_imports import ARCHIVE
from shared.items.model_imports import CARD as STATED
from shared.items.model_inputs import ModelInputs
from shared.items.properties import ModelFacts, ModelImportFacts
from shared.items.stac import CLASSIFICATION_EXTENSION, HTML, MLM_EXTENSION, attribution
from shared.items.weeks import span_properties
from shared.stage.declare import NewAsset, NewItem, RejectScene, Settings, Task

_UNPLAIN = "export it with `keras.export.ExportArchive`, without assets, and import it again"


def publish_import(task: Task[Settings], version: int) -> NewItem:
    """Check a model that people brought, score it on the hold-out, and describe it.

    Args:
        task: whose first input is the import, whose context is the hold-out.
        version: version folder that TF Serving wants.

    Raises:
        RejectScene: it is not a plain SavedModel, may do more than map pixels, does not map the cube, or nothing of the
            hold-out was observed.
    """
    assert task.cube is not None
    area, cube, brought = task.area, task.cube, task.inputs[0]
    snapshot, classes = cube.snapshot, len(area.labels.classes)
    facts, stated = ModelImportFacts.of(brought.item), _stated(task)
    cube.keep(f"trained-{snapshot}")  # what a model was scored on stays readable
    determinism = pin(0)
    name = f"{brought.item.id}/{brought.paths[ARCHIVE].name}"
    if _sha256(brought.paths[ARCHIVE]) != facts.sha256:
        raise RejectScene(name, "is not the archive that its item names", "import the model again")
    with tempfile.TemporaryDirectory(dir=task.folder) as scratch:
        try:
            saved = unpack(brought.paths[ARCHIVE], Path(scratch), 1)
            check_signatures(read_graph(saved))  # before TensorFlow makes anything of it
            model = _load(saved)
            probe(model, classes)
            scored = score(model, cube, holdout_of(task.context[0]), classes, task.progress)
            weights, probed = weights_of(saved), probe_sha256(ModelInputs(), saved)
        except UnsafeModel as error:
            raise RejectScene(name, str(error), _UNPLAIN) from error
        except (UnsafeGraph, UnfitModel) as error:
            raise RejectScene(name, error.fault, f"{error.remedy}, and import it again") from error
        except ValueError as error:
            raise RejectScene(name, str(error)[:300], _UNPLAIN) from error
        pack(saved, task.folder / MODEL)
    if not len(scored.confusions.blocks):
        raise RejectScene("labels", "no labelled pixel of the hold-out is observed", "requeue it once data covers them")
    described = ModelFacts(
        snapshot=snapshot,
        model_name=area.name,
        model_version=version,
        hold_out=task.context[0].item.id,
        weights_sha256=weights.sha256,
        probe_sha256=probed,
        weeks=scored.weeks,
        windows={"holdout": scored.windows},
        metrics=hold_out_metrics(area, scored.confusions),
        folds={"count": 0, "each": []},
        determinism=determinism,
        classes=class_names(area),
        attribution=attribution({week[:4] for week in scored.weeks}, area.labels.attribution),
    )
    (task.folder / CARD).write_text(write_card(area, facts, stated, described), encoding="utf-8")
    return _item(area, facts, stated, described, weights, task.folder)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stated(task: Task[Settings]) -> ModelCard:
    brought = task.inputs[0]
    try:
        return read_card(brought.paths[STATED].read_bytes(), task.area)
    except BadCard as error:
        raise RejectScene(f"{brought.item.id}/{STATED}", str(error), "mend the card, and import both again") from error


def _load(folder: Path) -> Any:
    """Return a SavedModel whose graph was checked.

    Raises:
        ValueError: TensorFlow cannot load it.
    """
    try:
        return tf.saved_model.load(str(folder))
    except Exception as error:  # whatever it makes of somebody's graph: this one does not load
        said = " ".join(str(error).split())[:200]
        raise ValueError(f"TensorFlow cannot load it: {type(error).__name__}: {said}") from error


def _item(
    area: Area, brought: ModelImportFacts, stated: ModelCard, facts: ModelFacts, weights: Weights, folder: Path
) -> NewItem:
    """Make the item of the model: as of ours, but without a split."""
    properties = {
        **span_properties(facts.weeks[0], facts.weeks[-1]),
        "title": brought.title,
        "mlm:name": stated.name,
        "mlm:architecture": stated.architecture,
        "mlm:tasks": ["semantic-segmentation"],
        "mlm:framework": "TensorFlow",
        "mlm:framework_version": str(facts.determinism["tensorflow"]),
        "mlm:total_parameters": weights.parameters,
        **({} if stated.pretrained is None else {"mlm:pretrained": stated.pretrained}),
        **({} if stated.pretrained_source is None else {"mlm:pretrained_source": stated.pretrained_source}),
        "mlm:accelerator_constrained": False,
        **describe_signature(area),
        "mlm:hyperparameters": stated.hyperparameters,
    }
    return NewItem(
        geometry=area.aoi,
        bbox=area.polygon.bounds,
        properties=properties | facts.properties(),
        assets={
            "model": model_asset(folder / MODEL),
            "card": NewAsset(folder / CARD, HTML, ("metadata", "overview"), "Card of the imported model"),
        },
        extensions=(MLM_EXTENSION, CLASSIFICATION_EXTENSION),
    )
