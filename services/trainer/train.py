"""Train and score on a cube: the split, the published network, the baselines beside it, and the folds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import keras
import numpy.typing as npt

from services.trainer.applicability import fit_applicability
from services.trainer.baselines import train_baselines
from services.trainer.checkpoint import FoldsWay, Part, State, Way
from services.trainer.deal import count_labels
from services.trainer.descend import Losses
from services.trainer.determinism import pin
from services.trainer.examples import Example
from services.trainer.fit import fit
from services.trainer.folds import cross_validate
from services.trainer.ground import check_ground, ground_of
from services.trainer.holdout import HoldOut
from services.trainer.places import Place, count_places, list_places, list_rounds
from services.trainer.polygons import add_learned, forbidden_polygons, in_windows, learned_from, of_blocks
from services.trainer.predict import batch_of, predict_windows
from services.trainer.reading import TrainingCube, read_in_batches, read_windows
from services.trainer.rounds import Round, Rounds
from services.trainer.split import HELD_OUT, TRAIN, deal_folds, keep_back, units_of
from shared.area import Area
from shared.area.training import TrainingSettings
from shared.items.model_inputs import inputs_of_area
from shared.raster.applicability import Applicability
from shared.stage.declare import RejectScene

MOST_TRAINING = 1500
"""Windows kept in memory all the time: 0.7 GB. A larger area or longer series is drawn down to it for what is not
learned round by round: scaling, the perceptron, the baselines and the folds."""

MOST_IN_ROUND = 1000
"""Windows of a round: a larger area is gone through round by round, of which two are in memory beside them."""

MOST_IN_FOLDS = 420
"""Windows of the hold-out kept in memory beside them for folds: its share of the blocks."""

MOST_TESTING = 4000
"""Windows that the hold-out's score is taken over."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class TrainingOutcome:
    """A trained model and what is known of it.

    Attributes:
        model: what the settings read -> probabilities.
        determinism: what was pinned.
        metrics: `landstream:metrics`.
        folds: `landstream:folds`; `count` 0 where the settings ask for none.
        losses: mean loss of each epoch, by network, and of its validation.
        rates: learning rate at the end of each epoch, by network.
        weights: what each network's vote counts; None = all count alike.
        holdout: uint8 (block row, block col): 0 unlabelled, 1 train, 2 hold-out.
        fold: uint8 (block row, block col): 0, or the fold that tests the block.
        weeks: weeks that were trained on, ascending.
        windows: how many windows were used, and of how many: `training`, `holdout`.
        examples: held-out blocks, for the card.
        wrong: float64 (block row, block col): share of wrong pixels of each held-out block, NaN elsewhere.
        applicability: which ground is like that it learned from; None where too little was learned from to say.
    """

    model: keras.Model
    determinism: dict[str, Any]
    metrics: dict[str, Any]
    folds: dict[str, Any]
    losses: dict[str, list[float]]
    rates: dict[str, list[float]]
    weights: dict[str, float] | None
    holdout: Array
    fold: Array
    weeks: tuple[str, ...]
    windows: dict[str, list[int]]
    examples: tuple[Example, ...]
    wrong: Array
    applicability: Applicability | None


def train(
    cube: TrainingCube,
    area: Area,
    holdout: Array,
    progress: Callable[[int, int, Losses], None] = lambda done, total, losses: None,
    part: Part[State] | None = None,
) -> TrainingOutcome:
    """Train on the weeks of a cube that the settings name.

    Args:
        cube: read at one snapshot.
        area: names the classes and the training settings.
        holdout: uint8 (block row, block col), as of `services.trainer.split.deal_holdout`.
        progress: called with (updates done, updates in total, losses of the last epoch).
        part: what it goes on from, and what it keeps after an epoch.

    Raises:
        RejectScene: there is nothing to train on.
    """
    settings, classes = area.training, len(area.labels.classes)
    determinism = pin(settings.seed)
    part = part or Part()
    reached = part.reached
    counts = count_labels(cube, classes)
    if not counts.any():
        raise RejectScene("labels", "no labelled pixel within the grid", "deliver a label layer that covers the area")
    units = units_of(settings.folds_by, holdout.shape, cube.grid)
    fold = deal_folds(counts, settings.folds, settings.seed, units)
    kept_back = keep_back(counts, holdout, settings.validation_percent, settings.seed)
    everywhere = {week: cube.observed(week) for week in cube.weeks()}
    observed = {week: everywhere[week] for week in chosen_weeks(cube.weeks(), settings)}
    inputs = inputs_of_area(area, settings)
    whole = bool(inputs.history_weeks)
    read = list_places(holdout == TRAIN, observed, MOST_TRAINING, settings.seed, whole)
    tested = list_places(holdout == HELD_OUT, observed, MOST_TESTING, settings.seed)
    # Folds are a diagnosis: what they read beside must not change the network that is published.
    beside_folds = (
        list_places(holdout == HELD_OUT, observed, MOST_IN_FOLDS, settings.seed, whole) if settings.folds else []
    )
    learned = (holdout == TRAIN) & ~kept_back
    trained = [place for place in read if learned[place.row, place.col]]
    kept = forbidden_polygons(cube, holdout == HELD_OUT, settings)

    def read_round(places: Sequence[Place]) -> Round:
        found = read_windows(cube, places, inputs, observed=everywhere)
        shared = in_windows(cube, found, kept)
        return Round(found, ground_of(found, holdout == HELD_OUT, kept_back, settings, shared))

    first = read_round([*read, *beside_folds])
    windows, ground = first.windows, first.ground
    check_ground(ground, settings)
    others = list[list[Place]]()
    if count_places(holdout == TRAIN, observed) > MOST_TRAINING:
        count = -(-settings.epochs * settings.steps * settings.batch // MOST_IN_ROUND)
        others = list_rounds(learned, observed, MOST_IN_ROUND, count, settings.seed, whole)

    updates = len(settings.networks) * settings.epochs * settings.steps
    total = updates * (1 + settings.folds)

    def save_published(make: Callable[[], Way]) -> None:
        part.save(lambda: State(make()))

    with (
        ThreadPoolExecutor(1) as beside,  # TensorFlow builds its graphs on one core
        Rounds(first, others, read_round, settings.steps * settings.batch) as rounds,
    ):
        growing = beside.submit(train_baselines, windows, ground.targets, settings.seed)
        fitted = fit(
            windows,
            ground,
            classes,
            settings,
            inputs,
            settings.seed,
            lambda done, _, losses: progress(done, total, losses),
            Part(reached.published if reached else None, save_published),
            rounds,
        )
        baselines = growing.result()
    applicability = fit_applicability(windows, ground.targets, settings)
    held_out = HoldOut(area, baselines, applicability, tested, settings.seed)
    known = learned_from(cube, windows, ground.targets)
    visited = rounds.visited(max((len(fitted.losses[n]) for n in settings.networks if n != "multiscale"), default=0))
    add_learned(known, cube, visited, (holdout == HELD_OUT) | kept_back, settings.buffer_px, kept)
    trained = sorted({*trained, *visited})
    size = batch_of(inputs)
    batches = read_in_batches(cube, tested, size, inputs)
    for batch, mapped, confidence in predict_windows(fitted.model, inputs, batches, size):
        unseen = ~known.holds(of_blocks(cube, batch.places)) if cube.has_polygons else None
        held_out.add(batch, mapped, confidence, unseen)

    def report(number: int, done: int, losses: Losses) -> None:
        progress(updates * number + done, total, losses)

    def save_folds(make: Callable[[], FoldsWay]) -> None:
        part.save(lambda: State(fitted.way, make()))

    of_folds = Part(reached.folds if reached else None, save_folds)
    folds = cross_validate(cube, windows, fold, kept_back, classes, settings, inputs, report, of_folds)
    return TrainingOutcome(
        model=fitted.model,
        determinism=determinism,
        metrics=held_out.metrics(),
        folds=folds,
        losses=fitted.losses,
        rates=fitted.rates,
        weights=fitted.weights,
        holdout=holdout,
        fold=fold,
        weeks=tuple(sorted({place.week for place in trained})),
        windows={
            name: [len(places), count_places(blocks, observed)]
            for name, places, blocks in (("training", trained, learned), ("holdout", tested, holdout == HELD_OUT))
        },
        examples=held_out.examples.chosen,
        wrong=held_out.wrong(holdout.shape),
        applicability=applicability,
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
