"""Train and score on a cube: the split, the published network, the forest beside it, and the folds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from services.trainer.bootstrap import BlockConfusions, intervals
from services.trainer.deal import count_labels
from services.trainer.determinism import pin
from services.trainer.examples import Example, Examples
from services.trainer.fit import fit, predict_windows
from services.trainer.forest import map_labelled, train_forest
from services.trainer.ground import Ground, ground_of
from services.trainer.polygons import in_windows, learned_from, of_blocks, polygons_in
from services.trainer.score import confuse, measure
from services.trainer.split import HELD_OUT, TRAIN, deal_folds, keep_back, units_of
from services.trainer.windows import (
    Place,
    TrainingCube,
    Windows,
    count_places,
    list_places,
    read_in_batches,
    read_windows,
)
from shared.area import Area
from shared.area.training import TrainingSettings
from shared.stage.declare import RejectScene

MOST_TRAINING = 1500
"""Windows kept in memory for training: 0.7 GB. A larger area or longer series is drawn down to it."""

MOST_IN_FOLDS = 420
"""Windows of the hold-out kept in memory beside them for folds: its share of the blocks."""

MOST_TESTING = 4000
"""Windows that the hold-out's score is taken over."""

BATCH = 8
"""Windows in one prediction."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class TrainingOutcome:
    """A trained model and what is known of it.

    Attributes:
        model: msi_10m, msi_20m -> probabilities.
        determinism: what was pinned.
        metrics: `landstream:metrics`.
        folds: `landstream:folds`; `count` 0 where the settings ask for none.
        losses: mean loss of each epoch, by network, and of its validation.
        weights: what each network's vote counts; None = all count alike.
        holdout: uint8 (block row, block col): 0 unlabelled, 1 train, 2 hold-out.
        fold: uint8 (block row, block col): 0, or the fold that tests the block.
        weeks: weeks that were trained on, ascending.
        windows: how many windows were used, and of how many: `training`, `holdout`.
        examples: held-out blocks, for the card.
    """

    model: keras.Model
    determinism: dict[str, Any]
    metrics: dict[str, Any]
    folds: dict[str, Any]
    losses: dict[str, list[float]]
    weights: dict[str, float] | None
    holdout: Array
    fold: Array
    weeks: tuple[str, ...]
    windows: dict[str, list[int]]
    examples: tuple[Example, ...]


def train(
    cube: TrainingCube, area: Area, holdout: Array, progress: Callable[[int, int], None] = lambda done, total: None
) -> TrainingOutcome:
    """Train on the weeks of a cube that the settings name.

    Args:
        cube: read at one snapshot.
        area: names the classes and the training settings.
        holdout: uint8 (block row, block col), as of `services.trainer.split.deal_holdout`.
        progress: called with (updates done, updates in total).

    Raises:
        RejectScene: there is nothing to train on.
    """
    settings, classes = area.training, len(area.labels.classes)
    determinism = pin(settings.seed)
    counts = count_labels(cube, classes)
    if not counts.any():
        raise RejectScene("labels", "no labelled pixel within the grid", "deliver a label layer that covers the area")
    units = units_of(settings.folds_by, holdout.shape, cube.grid)
    fold = deal_folds(counts, settings.folds, settings.seed, units)
    kept_back = keep_back(counts, holdout, settings.validation_percent, settings.seed)
    observed = {week: cube.observed(week) for week in chosen_weeks(cube.weeks(), settings)}
    read = list_places(holdout == TRAIN, observed, MOST_TRAINING, settings.seed)
    tested = list_places(holdout == HELD_OUT, observed, MOST_TESTING, settings.seed)
    # Folds are a diagnosis: what they read beside must not change the network that is published.
    beside_folds = list_places(holdout == HELD_OUT, observed, MOST_IN_FOLDS, settings.seed) if settings.folds else []
    learned = (holdout == TRAIN) & ~kept_back
    trained = [place for place in read if learned[place.row, place.col]]
    windows = read_windows(cube, [*read, *beside_folds])
    ground = ground_of(
        windows, holdout == HELD_OUT, kept_back, settings, shared_polygons(cube, windows, holdout == HELD_OUT, settings)
    )
    check_ground(ground, settings)

    updates = len(settings.networks) * settings.epochs * settings.steps
    total = updates * (1 + settings.folds)
    with ThreadPoolExecutor(1) as beside:  # TensorFlow builds its graphs on one core
        growing = beside.submit(train_forest, windows, ground.targets, settings.seed)
        fitted = fit(windows, ground, classes, settings, settings.seed, lambda done, _: progress(done, total))
        forest = growing.result()
    scored, scored_forest, examples = BlockConfusions(classes), BlockConfusions(classes), Examples()
    strict, strict_forest = BlockConfusions(classes), BlockConfusions(classes)
    known = learned_from(cube, windows, ground.targets)
    for batch, mapped in predict_windows(fitted.model, read_in_batches(cube, tested, BATCH), BATCH):
        reference = batch.inner(batch.labels)
        scored.add(batch.places, reference, batch.inner(mapped))
        by_forest = map_labelled(forest, batch)
        scored_forest.add(batch.places, reference, by_forest)
        if cube.has_polygons:
            unseen = reference * ~known.holds(of_blocks(cube, batch.places))
            strict.add(batch.places, unseen, batch.inner(mapped))
            strict_forest.add(batch.places, unseen, by_forest)
        examples.show(batch, mapped)

    def report(number: int, done: int) -> None:
        progress(updates * number + done, total)

    folds = _cross_validate(cube, windows, fold, kept_back, classes, settings, report)
    return TrainingOutcome(
        model=fitted.model,
        determinism=determinism,
        metrics=_metrics(area, scored, scored_forest) | _strictly(strict, strict_forest),
        folds=folds,
        losses=fitted.losses,
        weights=fitted.weights,
        holdout=holdout,
        fold=fold,
        weeks=tuple(sorted({place.week for place in trained})),
        windows={
            name: [len(places), count_places(blocks, observed)]
            for name, places, blocks in (("training", trained, learned), ("holdout", tested, holdout == HELD_OUT))
        },
        examples=examples.chosen,
    )


def chosen_weeks(weeks: list[str], settings: TrainingSettings) -> list[str]:
    """Return the weeks that are trained and scored on.

    Raises:
        RejectScene: none is left.
    """
    if settings.weeks is None:
        return weeks
    first, last = settings.weeks
    chosen = [week for week in weeks if first <= int(week[-2:]) <= last]
    if not chosen:
        raise RejectScene(
            "training.weeks", f"no week from {first} to {last} holds data", "deliver some, or widen `weeks`"
        )
    return chosen


def shared_polygons(cube: TrainingCube, windows: Windows, tested: Array, settings: TrainingSettings) -> Array | None:
    """Return the pixels of polygons that reach into tested blocks, bool (n, y, x); None where the split allows them.

    Raises:
        RejectScene: nobody knows the polygons.
    """
    if settings.split != "polygons":
        return None
    if not cube.has_polygons:
        raise RejectScene(
            "training.split",
            "the cube holds no polygons of its labels, which were burned before there were any",
            "burn them again (`landstream reprocess rasterize`), or set `split: blocks`",
        )
    return in_windows(cube, windows, polygons_in(cube, tested))


def check_ground(ground: Ground, settings: TrainingSettings) -> None:
    """Refuse ground that nothing can be learned from.

    Raises:
        RejectScene: no pixel carries loss, or none tells the loss of validation.
    """
    if not ground.targets.any():
        if settings.edge_px:
            raise RejectScene(
                "training.edge_px",
                f"no labelled pixel is observed further than {settings.edge_px} px from a label edge",
                "lower `edge_px`",
            )
        raise RejectScene("labels", "no labelled pixel is observed", "it is trained once data covers the labels")
    if settings.validation_percent and not _tells_validation(ground):
        raise RejectScene(
            "training.validation_percent",
            "no labelled pixel of a validation block is observed",
            "raise `validation_percent`, or leave it out with what needs it",
        )


def _tells_validation(ground: Ground) -> bool:
    return ground.validation is not None and bool(ground.validation.any())


def _cross_validate(
    cube: TrainingCube,
    windows: Windows,
    fold: Array,
    kept_back: Array,
    classes: int,
    settings: TrainingSettings,
    report: Callable[[int, int], None],
) -> dict[str, Any]:
    """Train a network for each fold and test it on the fold's blocks.

    Returns:
        `count`; `miou`, `accuracy`, `f1_macro`: mean and sd over the folds; `pooled`: the measures over all pixels,
        each tested once; `each`: the measures of each fold. A fold without data is left out.
    """
    pooled = np.zeros((classes, classes), np.int64)
    each = []
    for number in range(1, settings.folds + 1):
        tested = fold == number
        ground = ground_of(windows, tested, kept_back, settings, shared_polygons(cube, windows, tested, settings))
        chosen = [i for i, p in enumerate(windows.places) if fold[p.row, p.col] == number]
        if not ground.targets.any() or not any(windows.labels[i].any() for i in chosen):
            continue
        if settings.validation_percent and not _tells_validation(ground):
            continue
        fitted = fit(windows, ground, classes, settings, settings.seed, _reporter(report, number))
        confusion = np.zeros((classes, classes), np.int64)
        for batch, mapped in predict_windows(fitted.model, _batches(windows, chosen), BATCH):
            confusion += confuse(batch.inner(batch.labels), batch.inner(mapped), classes)
        pooled += confusion
        measures = measure(confusion)
        each.append({name: measures[name] for name in ("accuracy", "miou", "f1_macro", "majority_accuracy", "pixels")})
    result: dict[str, Any] = {"count": len(each), "each": each}
    if each:
        for name in ("miou", "accuracy", "f1_macro"):
            values = np.array([fold_[name] for fold_ in each])
            result[name] = {"mean": round(float(values.mean()), 6), "sd": round(float(values.std()), 6)}
        measures = measure(pooled)
        result["pooled"] = {name: measures[name] for name in ("accuracy", "miou", "f1_macro", "pixels")}
    return result


def _reporter(report: Callable[[int, int], None], number: int) -> Callable[[int, int], None]:
    return lambda done, total: report(number, done)


def _batches(windows: Windows, chosen: list[int]) -> Iterable[Windows]:
    for start in range(0, len(chosen), BATCH):
        part = chosen[start : start + BATCH]
        places: tuple[Place, ...] = tuple(windows.places[i] for i in part)
        yield Windows(places, windows.msi_10m[part], windows.msi_20m[part], windows.labels[part], windows.margin)


def _strictly(scored: BlockConfusions, scored_forest: BlockConfusions) -> dict[str, Any]:
    """Return the score on polygons without a pixel that was learned from; nothing where there are none."""
    if not len(scored.blocks):
        return {}
    measures, forest = measure(scored.total), measure(scored_forest.total)
    kept = ("accuracy", "miou", "f1_macro", "majority_accuracy", "pixels")
    return {
        "unseen_polygons": {
            **{name: measures[name] for name in kept},
            "blocks": len(scored.blocks),
            "interval_95": intervals(scored.blocks),
            "gain_95": intervals(scored.blocks, scored_forest.blocks),
            "forest": {"accuracy": forest["accuracy"], "miou": forest["miou"]},
        }
    }


def _metrics(area: Area, scored: BlockConfusions, scored_forest: BlockConfusions) -> dict[str, Any]:
    """`landstream:metrics` of an item."""
    measures, forest = measure(scored.total), measure(scored_forest.total)
    per_class = {
        value: {"code": c.code, "name": c.name, **measures["per_class"][value]}
        for value, c in ((str(v), c) for v, c in area.labels.values.items())
    }
    ious = {value: forest["per_class"][value]["iou"] for value in per_class}
    return {
        **measures,
        "per_class": per_class,
        "blocks": len(scored.blocks),
        "interval_95": intervals(scored.blocks),
        "gain_95": intervals(scored.blocks, scored_forest.blocks),
        "forest": {
            "accuracy": forest["accuracy"],
            "miou": forest["miou"],
            "iou": ious,
            "interval_95": intervals(scored_forest.blocks),
        },
        "confusion": scored.total.tolist(),
    }
