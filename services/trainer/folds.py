"""The cross-validation: a network and its baselines for each fold, tested on the fold's blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from services.trainer.baselines import Beside, train_baselines
from services.trainer.boosting import choose_weeks
from services.trainer.checkpoint import FoldsWay, Part, Way
from services.trainer.descend import Losses
from services.trainer.fit import fit
from services.trainer.ground import Ground, ground_of, tells_validation
from services.trainer.polygons import forbidden_polygons, in_windows
from services.trainer.predict import batch_of, predict_windows
from services.trainer.reading import TrainingCube
from services.trainer.score import confuse, measure
from services.trainer.windows import Windows
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
    report: Callable[[int, int, Losses], None],
    part: Part[FoldsWay] | None = None,
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
        report: called with (fold, updates done, losses of the last epoch).
        part: what it goes on from, and what it keeps after an epoch.

    Returns:
        `count`; `miou`, `accuracy`, `f1_macro`: mean and sd over the folds; `pooled`: the measures over all pixels,
        each tested once, with intervals over all blocks and both baselines; `each`: the measures of each fold. A fold
        without data is left out.
    """
    weeks = choose_weeks(windows.places, settings.seed)
    part = part or Part()
    way = part.reached or FoldsWay(0, [], {})
    beside = Beside(classes, weeks)
    beside.restore(way.counts)
    each = list(way.each)
    for number in range(way.done + 1, settings.folds + 1):
        tested = fold == number
        shared = in_windows(cube, windows, forbidden_polygons(cube, tested, settings))
        ground = ground_of(windows, tested, kept_back, settings, shared)
        chosen = [i for i, p in enumerate(windows.places) if tested[p.row, p.col]]
        if not _is_sound(ground, settings) or not any(windows.labels[i].any() for i in chosen):
            continue
        before = _over(number - 1, each, beside)
        fitting = Part(way.fit if number == way.done + 1 else None, _keeper(part, before))
        fitted = fit(windows, ground, classes, settings, inputs, settings.seed, _reporter(report, number), fitting)
        baselines = train_baselines(windows, ground.targets, settings.seed)
        confusion = np.zeros((classes, classes), np.int64)
        size = batch_of(inputs)
        for batch, mapped, _ in predict_windows(fitted.model, inputs, _batches(windows, chosen, size), size):
            found = batch.inner(mapped)
            confusion += confuse(batch.inner(batch.labels), found, classes)
            beside.add(batch, baselines.map(batch, weeks), found)
        measures = measure(confusion)
        each.append({name: measures[name] for name in ("accuracy", "miou", "f1_macro", "majority_accuracy", "pixels")})
        part.save(partial(_over, number, each, beside))
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


def _over(number: int, each: list[dict[str, Any]], beside: Beside) -> FoldsWay:
    return FoldsWay(number, list(each), beside.counts())


def _reporter(report: Callable[[int, int, Losses], None], number: int) -> Callable[[int, int, Losses], None]:
    return lambda done, total, losses: report(number, done, losses)


def _keeper(part: Part[FoldsWay], before: FoldsWay) -> Callable[[Callable[[], Way]], None]:
    return lambda make: part.save(lambda: replace(before, fit=make()))


def _batches(windows: Windows, chosen: list[int], size: int) -> Iterator[Windows]:
    for start in range(0, len(chosen), size):
        yield windows.at(chosen[start : start + size])
