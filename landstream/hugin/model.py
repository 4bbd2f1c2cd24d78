"""Hugin's `KerasModel` as the recipe of a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from landstream.hugin.document import Call, Section
from landstream.hugin.names import CALLBACKS, LOSSES, OPTIMISERS
from landstream.hugin.reading import Found, name_of

KERAS_RATE: Final = 1e-3
"""Learning rate of Keras's Adam where none is given."""

_COUNTS: Final = {"batch_size": "batch", "epochs": "epochs", "steps_per_epoch": "steps", "random_seed": "seed"}
_LOSSES: Final[Mapping[str, str]] = {
    "categorical_crossentropy": "cross_entropy",
    "sparse_categorical_crossentropy": "cross_entropy",
    "CategoricalCrossentropy": "cross_entropy",
    "categorical_focal_crossentropy": "focal",
    "CategoricalFocalCrossentropy": "focal",
    "dice": "dice",
    "Dice": "dice",
    "keras_dice_loss": "dice",
}
_MEASURED: Final = frozenset(
    {
        "accuracy", "categorical_accuracy", "CategoricalAccuracy", "MeanIoU", "OneHotMeanIoU", "UpdatedMeanIoU",
        "mean_iou", "Precision", "Recall",
    }
)  # fmt: skip
"""Metrics that every model's card has; no line is due."""
_KNOWN: Final = frozenset(
    {
        "name", "model_builder", "batch_size", "epochs", "steps_per_epoch", "random_seed", "loss", "optimizer",
        "callbacks", "metrics", "checkpoint",
    }
)  # fmt: skip
_ADAM: Final[Mapping[str, Any]] = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "amsgrad": False, "decay": 0.0}
_WATCHED: Final[Mapping[str, Any]] = {"monitor": "val_loss", "mode": "min"}
_ALWAYS: Final[Mapping[str, Mapping[str, Any]]] = {
    "EarlyStopping": {**_WATCHED, "baseline": None, "restore_best_weights": False, "start_from_epoch": 0},
    "ReduceLROnPlateau": {**_WATCHED, "min_delta": 1e-4, "epsilon": 1e-4, "cooldown": 0, "min_lr": 0},
    "ModelCheckpoint": {**_WATCHED, "save_best_only": True, "save_weights_only": False},
}
"""Arguments that are always so here."""


def read_model(kwds: Section, found: Found) -> None:
    """Read the arguments of a `KerasModel`."""
    for key, name in _COUNTS.items():
        if key in kwds:
            found.set(name, found.count(kwds, key), kwds.lines[key])
    if "steps_per_epoch" not in kwds:
        line = kwds.lines.get("epochs", 1)
        found.say(line, "an epoch is a pass over all samples there: here it is `steps` updates, by default 36")
    _read_builder(kwds, found)
    _read_loss(kwds, found)
    _read_optimiser(kwds, found)
    for callback in found.parts(kwds, "callbacks"):
        if not isinstance(callback, Call) or callback.name not in CALLBACKS:
            raise found.fail(kwds.lines["callbacks"], "`callbacks` holds what is no callback of Keras's", "remove it")
        _read_callback(callback.name.rpartition(".")[2], callback.kwds, callback.line, found)
    checkpoint = kwds.get("checkpoint")
    if isinstance(checkpoint, Section):
        _read_callback("ModelCheckpoint", checkpoint, kwds.lines["checkpoint"], found)
    for metric in found.parts(kwds, "metrics"):
        name = name_of(metric).rpartition(".")[2]
        if name not in _MEASURED:
            line = metric.line if isinstance(metric, Call) else kwds.lines["metrics"]
            found.say_without(f"metrics.{name}", line, "measured are mean IoU, accuracy, precision, recall and F1")
    found.say_rest(kwds, _KNOWN, of="model.")


def _read_builder(kwds: Section, found: Found) -> None:
    name, line = name_of(kwds.get("model_builder")), kwds.lines.get("model_builder", 1)
    found.set("architecture", "unet", line)
    found.say_without("model_builder", line, f"it names code ({name[:60]!r}); trained is Landstream's own U-Net")


def _read_loss(kwds: Section, found: Found) -> None:
    loss, line = kwds.get("loss"), kwds.lines.get("loss", 1)
    name = name_of(loss).rpartition(".")[2]
    found.set("loss", _LOSSES.get(name, "cross_entropy"), line)
    if name not in _LOSSES:
        found.say_without("loss", line, f"{name[:60]!r} is trained with cross-entropy over all classes")
    if isinstance(loss, Call) and loss.name in LOSSES:
        for key, field in (("label_smoothing", "label_smoothing"), ("gamma", "focal_gamma")):
            if key in loss.kwds:
                found.set(field, found.number(loss.kwds, key), loss.kwds.lines[key])
        found.say_rest(loss.kwds, ("label_smoothing", "gamma", "name"), {"from_logits": False}, "loss.")


def _read_optimiser(kwds: Section, found: Found) -> None:
    optimiser, line = kwds.get("optimizer"), kwds.lines.get("optimizer", 1)
    name = name_of(optimiser).rpartition(".")[2].lower()
    found.set("optimiser", "adamw" if name == "adamw" else "adam", line)
    found.set("learning_rate", KERAS_RATE, line)
    if name not in ("adam", "adamw"):
        found.say_without("optimizer", line, f"{name[:60]!r} is trained with Adam")
    if isinstance(optimiser, Call) and optimiser.name in OPTIMISERS:
        given = optimiser.kwds
        for key in ("lr", "learning_rate"):
            if key in given:
                found.set("learning_rate", found.number(given, key), given.lines[key])
        fixed = {**_ADAM, "weight_decay": 1e-4 if name == "adamw" else None}
        found.say_rest(given, ("lr", "learning_rate", "name"), fixed, "optimizer.")


def _read_callback(name: str, kwds: Section, line: int, found: Found) -> None:
    """Read what watches the loss of validation. A loss is the better the lower it is: `auto` and `min` are the same."""
    known = {"mode"} if kwds.get("mode") == "auto" else set[str]()
    if name == "EarlyStopping":
        found.set("early_stop_patience", found.count(kwds, "patience") if "patience" in kwds else 0, line)
        if "min_delta" in kwds:
            found.set("early_stop_min_delta", found.number(kwds, "min_delta"), kwds.lines["min_delta"])
        known |= {"patience", "min_delta"}
        if kwds.get("restore_best_weights") is True:
            found.set("keep_best", True, kwds.lines["restore_best_weights"])
            known.add("restore_best_weights")
    elif name == "ReduceLROnPlateau":
        found.set("schedule", "plateau", line)
        found.set("plateau_patience", found.count(kwds, "patience") if "patience" in kwds else 10, line)
        found.set("plateau_factor", found.number(kwds, "factor") if "factor" in kwds else 0.1, line)
        known |= {"patience", "factor"}
    elif name == "ModelCheckpoint":
        found.set("keep_best", True, line)
    else:
        found.say_without(f"callbacks.{name}", line, "a model's card has the losses of all epochs")
        return
    found.say_rest(kwds, known, _ALWAYS[name], f"{name}.")
