"""The cross-validation: a network and its baselines for each fold, tested on the fold's blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from services.trainer.baselines import Beside, train_baselines
from services.trainer.boosting import choose_weeks
from services.trainer.fit import fit
from services.trainer.ground import Ground, ground_of, tells_validation
from services.trainer.polygons import shared_polygons
from services.trainer.predict import batch_of, predict_windows
from services.trainer.score import confuse, measure
from services.trainer.windows import TrainingCube, Windows
from shared.area.training import TrainingSettings
from shared.items.model_inputs import ModelInputs

Array = npt.NDArray[Any]


def cross_validate(
    cube: TrainingCube,
    windows: Windows,
    fold: Array,
    kept_back: Array,
    classes: int,
    settings: TrainingSettings,
    inputs: ModelInputs,
    report: Callable[[int, int], None],
) -> dict[str, Any]:
    """Train a network for each fold and test it on the fold's blocks.

    Args:
        cube: tells the polygons.
        windows: of all labelled blocks.
        fold: uint8 (block row, block col), as of `services.trainer.split.deal_folds`.
        kept_back: bool (block row, block col): blocks of validation.
        classes: number of classes.
        settings: of the training.
        inputs: what the networks read.
        report: called with (fold, updates done).

    Returns:
        `count`; `miou`, `accuracy`, `f1_macro`: mean and sd over the folds; `pooled`: the measures over all pixels,
        each tested once, with intervals over all blocks and both baselines; `each`: the measures of each fold. A fold
        without data is left out.
    """
    weeks = choose_weeks(windows.places, settings.seed)
    beside = Beside(classes, weeks)
    each = []
    for number in range(1, settings.folds + 1):
        tested = fold == number
        ground = ground_of(windows, tested, kept_back, settings, shared_polygons(cube, windows, tested, settings))
        chosen = [i for i, p in enumerate(windows.places) if tested[p.row, p.col]]
        if not _is_sound(ground, settings) or not any(windows.labels[i].any() for i in chosen):
            continue
        fitted = fit(windows, ground, classes, settings, inputs, settings.seed, _reporter(report, number))
        baselines = train_baselines(windows, ground.targets, settings.seed)
        confusion = np.zeros((classes, classes), np.int64)
        size = batch_of(inputs)
        for batch, mapped, _ in predict_windows(fitted.model, inputs, _batches(windows, chosen, size), size):
            found = batch.inner(mapped)
            confusion += confuse(batch.inner(batch.labels), found, classes)
            beside.add(batch, baselines.map(batch, weeks), found)
        measures = measure(confusion)
        each.append({name: measures[name] for name in ("accuracy", "miou", "f1_macro", "majority_accuracy", "pixels")})
    result: dict[str, Any] = {"count": len(each), "each": each}
    if each:
        for name in ("miou", "accuracy", "f1_macro"):
            values = np.array([fold_[name] for fold_ in each])
            spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
            result[name] = {"mean": round(float(values.mean()), 6), "sd": round(spread, 6)}
        measures = measure(beside.network.total)
        pooled = {name: measures[name] for name in ("accuracy", "miou", "f1_macro", "pixels")}
        result["pooled"] = pooled | beside.facts()
    return result


def _is_sound(ground: Ground, settings: TrainingSettings) -> bool:
    return bool(ground.targets.any()) and (not settings.validation_percent or tells_validation(ground))


def _reporter(report: Callable[[int, int], None], number: int) -> Callable[[int, int], None]:
    return lambda done, total: report(number, done)


def _batches(windows: Windows, chosen: list[int], size: int) -> Iterator[Windows]:
    for start in range(0, len(chosen), size):
        yield windows.at(chosen[start : start + size])
