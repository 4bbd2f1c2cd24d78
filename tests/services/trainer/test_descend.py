"""Descending, on a network of one convolution: it does what the recipe says."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest

from services.trainer.augment import Batch
from services.trainer.descend import Curves, descend, precision
from shared.area.training import TrainingSettings

CLASSES = 3
VALIDATED = {"validation_percent": 20}


def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    bands = keras.Input((None, None, 4))
    return keras.Model(bands, keras.layers.Conv2D(CLASSES, 1)(keras.layers.BatchNormalization()(bands)))


def sample(seed: int, relabelled: bool = False) -> Batch:
    """Pixels whose class their bands tell; or whose labels say the contrary, so that learning makes them worse."""
    rng = np.random.default_rng(seed)
    target = rng.integers(1, CLASSES + 1, (2, 16, 16)).astype(np.uint8)
    values = np.eye(CLASSES + 1, dtype=np.float32)[target] + rng.normal(0, 0.1, (*target.shape, 4)).astype(np.float32)
    wanted = (target % CLASSES + 1).astype(np.uint8) if relabelled else target
    return Batch((values,), wanted, rng.random(target.shape) < 0.5)


def batches(steps: int) -> Callable[[int], Iterator[Batch]]:
    seeds = itertools.count()
    return lambda epoch: (sample(next(seeds)) for _ in range(steps))


VALIDATION = {"none": [], "good": [sample(9), sample(10)], "worse": [sample(9, relabelled=True)]}
BY_CLASS = np.array([0, 4, 1, 1], np.float32)


@functools.cache  # tracing takes a second, and most compare with the same
def run(validation: str = "none", **fields: Any) -> tuple[keras.Model, Curves]:
    settings = TrainingSettings(**{"epochs": 4, "steps": 3, "learning_rate": 0.05, **fields})
    made, done = model(), list[int]()
    by_class = BY_CLASS if settings.class_weights == "balanced" else None
    judged = VALIDATION[validation]
    curves = descend(
        made,
        batches(settings.steps),
        settings.steps,
        settings,
        by_class,
        judged,
        lambda steps, losses: done.append(steps),
    )
    assert done == sorted(done)
    assert done[0] == 0
    assert done[-1] == settings.epochs * settings.steps, "whoever watches sees it end, early or not"
    return made, curves


def same(one: keras.Model, other: keras.Model) -> bool:
    return all((a == b).all() for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def test_the_same_arguments_give_the_same_bits() -> None:
    (one, first), (other, second) = run(), run.__wrapped__()
    assert same(one, other)
    assert first == second
    assert first.training[-1] < first.training[0]
    assert first.validation == []


@pytest.mark.parametrize(
    "fields",
    [
        {"optimiser": "adam"},
        {"loss": "focal"},
        {"loss": "dice"},
        {"label_smoothing": 0.1},
        {"edge_px": 1, "edge_weight": 0.5},
        {"class_weights": "balanced"},
        {"schedule": "plateau", **VALIDATED},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_each_setting_changes_the_weights(fields: dict[str, Any]) -> None:
    assert not same(run()[0], run("good" if "validation_percent" in fields else "none", **fields)[0])


def test_validation_alone_changes_nothing_but_what_is_known() -> None:
    plain, _ = run()
    watched, curves = run("good", **VALIDATED)
    assert same(plain, watched)
    assert len(curves.validation) == 4
    assert curves.validation[-1] < curves.validation[0]


def test_training_ends_when_the_loss_of_validation_no_longer_falls() -> None:
    _, curves = run("worse", epochs=20, early_stop_patience=2, **VALIDATED)
    lowest = int(np.argmin(curves.validation))
    assert len(curves.training) == len(curves.validation) == lowest + 1 + 2 < 20


def test_the_best_weights_are_kept() -> None:
    last, curves = run("worse", epochs=5, schedule="plateau", **VALIDATED)
    best, _ = run("worse", epochs=5, schedule="plateau", keep_best=True, **VALIDATED)
    lowest = int(np.argmin(curves.validation))
    assert lowest < 4
    as_of_then, _ = run("worse", epochs=lowest + 1, schedule="plateau", **VALIDATED)
    assert same(best, as_of_then)
    assert not same(best, last)


def test_a_plateau_slows_it_down() -> None:
    fields = {"epochs": 6, "schedule": "plateau", "optimiser": "adam", **VALIDATED}
    slowed, _ = run("worse", plateau_patience=1, plateau_factor=1e-6, **fields)
    still, curves = run("worse", plateau_patience=9, **fields)
    before, _ = run("worse", **{**fields, "epochs": int(np.argmin(curves.validation)) + 2}, plateau_patience=9)
    weights = [m.trainable_variables[-1].numpy() for m in (slowed, before, still)]
    np.testing.assert_allclose(weights[0], weights[1], atol=1e-5)
    assert np.abs(weights[2] - weights[1]).max() > 1e-2


def test_xla_gives_nearly_the_same_weights() -> None:
    for ours, theirs in zip(run()[0].get_weights(), run(xla=True)[0].get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_mixed_precision_is_over_when_its_layers_are_built() -> None:
    with precision(TrainingSettings(mixed_precision=True)):
        assert keras.layers.Conv2D(1, 1).compute_dtype == "bfloat16"
    assert keras.layers.Conv2D(1, 1).compute_dtype == "float32"
    with precision(TrainingSettings()):
        assert keras.layers.Conv2D(1, 1).compute_dtype == "float32"
