"""The course of a training, beside Keras's own callbacks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from services.trainer.course import Course
from shared.area.training import TrainingSettings


def settings(**fields: Any) -> TrainingSettings:
    return TrainingSettings(validation_percent=20, **fields)


def test_the_rate_falls_after_epochs_without_a_lower_loss() -> None:
    course = Course(settings(schedule="plateau", plateau_patience=2))
    slower = [course.see(loss).slower for loss in (1.0, 0.9, 0.95, 0.89995, 0.8, 0.8, 0.8, 0.8, 0.8)]
    assert slower == [False, False, False, True, False, False, True, False, True], "less than 1e-4 lower is not lower"


def test_training_ends_after_epochs_without_a_lower_loss() -> None:
    course = Course(settings(early_stop_patience=2, early_stop_min_delta=0.1))
    assert [course.see(loss).over for loss in (1.0, 0.95, 0.85, 0.8, 0.78)] == [False, False, False, False, True]


def test_the_best_epoch_needs_no_least_fall() -> None:
    course = Course(settings(early_stop_patience=9, early_stop_min_delta=0.5))
    assert [course.see(loss).best for loss in (1.0, 0.99, 0.99, float("nan"), 0.98)] == [True, True, False, False, True]


def test_nothing_ends_or_slows_down_unless_it_is_asked_for() -> None:
    course = Course(settings())
    turns = [course.see(1.0) for _ in range(50)]
    assert not any(turn.over or turn.slower for turn in turns)


class Stub:
    """What Keras's callbacks ask of a model."""

    def __init__(self, rate: float) -> None:
        self.optimizer = SimpleNamespace(learning_rate=rate)
        self.stop_training = False


@pytest.mark.parametrize("seed", range(6))
def test_it_does_what_keras_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    losses = np.round(1.0 + np.cumsum(rng.normal(0.005, 0.05, 120)), 3).tolist()
    recipe = settings(
        schedule="plateau", plateau_patience=3, plateau_factor=0.5, early_stop_patience=8, early_stop_min_delta=0.01
    )
    stub = Stub(1.0)
    callbacks = (
        keras.callbacks.ReduceLROnPlateau(patience=3, factor=0.5),
        keras.callbacks.EarlyStopping(patience=8, min_delta=0.01),
    )
    for callback in callbacks:
        callback.set_model(stub)
        callback.on_train_begin()
    course, rate = Course(recipe), 1.0
    for epoch, loss in enumerate(losses):
        turn = course.see(loss)
        rate *= 0.5 if turn.slower else 1.0
        for callback in callbacks:
            callback.on_epoch_end(epoch, {"val_loss": loss})
        assert rate == pytest.approx(float(stub.optimizer.learning_rate)), epoch
        assert turn.over == stub.stop_training, epoch
        if turn.over:
            return
    pytest.fail("the losses never made it end: the case shows nothing")
