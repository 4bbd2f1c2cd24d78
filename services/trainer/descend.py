"""Descend: many small updates, epoch by epoch, along a falling learning rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from services.trainer.augment import Batch
from services.trainer.checkpoint import Descent, Part
from services.trainer.course import Course, Turn
from services.trainer.feed import constants, fed
from services.trainer.losses import build_loss, weigh
from shared.area.training import TrainingSettings

Array = npt.NDArray[Any]

WEIGHT_DECAY = 1e-4
EPSILON = 1e-7


@dataclass(frozen=True)
class Curves:
    """What the epochs were like, ascending.

    Attributes:
        training: mean loss over the updates of each epoch.
        validation: mean loss over the pixels of validation after each epoch; empty where there are none.
        rates: learning rate at the end of each epoch.
    """

    training: list[float]
    validation: list[float]
    rates: list[float]


class Losses(NamedTuple):
    """Mean losses of the last epoch; None = there is none."""

    training: float | None = None
    validation: float | None = None


@contextmanager
def precision(settings: TrainingSettings) -> Iterator[None]:
    """Build layers in the precision of the settings; bfloat16 needs no scaling of losses, unlike float16."""
    before = keras.config.dtype_policy()
    if settings.mixed_precision:
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def descend(
    model: keras.Model,
    batches: Callable[[int], Iterable[Batch]],
    steps: int,
    settings: TrainingSettings,
    by_class: Array | None,
    validation: Sequence[Batch],
    progress: Callable[[int, Losses], None],
    part: Part[Descent] | None = None,
) -> Curves:
    """Minimise the loss that settings name over labelled pixels.

    Args:
        model: inputs of a batch -> logits (batch, y, x, classes).
        batches: of an epoch, by its number, `steps` of them; made ahead while others are learned from.
        steps: updates in an epoch.
        settings: the recipe.
        by_class: what a pixel of each class counts, see `losses.weigh`.
        validation: what the loss of validation is taken over; empty = none.
        progress: called with the updates done, and the losses of the epoch; first with where it begins.
        part: what it goes on from, and what it keeps after an epoch.
    """
    part = part or Part()
    loss = build_loss(settings, model.output_shape[-1])
    optimiser = _optimiser(settings, steps)
    optimiser.build(model.trainable_variables)

    def weighted(inputs: tuple[tf.Tensor, ...], target: tf.Tensor, near: tf.Tensor, training: bool) -> _Weighted:
        logits = model(inputs[0] if len(inputs) == 1 else list(inputs), training=training)
        weight = weigh(target, near, settings, by_class)
        return loss(target, weight, logits), tf.reduce_sum(weight)

    @_traced(settings)
    def update(inputs: tuple[tf.Tensor, ...], target: tf.Tensor, near: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            value, _ = weighted(inputs, target, near, True)
        optimiser.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
        return value

    @_traced(settings)
    def judge(inputs: tuple[tf.Tensor, ...], target: tf.Tensor, near: tf.Tensor) -> _Weighted:
        return weighted(inputs, target, near, False)

    way = part.reached or Descent([], [], None, [], [], [])
    if part.reached:
        assign(model.variables, way.variables)
        assign(optimiser.variables, way.optimiser)
    best, training, judged, rates = way.best, list(way.training), list(way.judged), list(way.rates)
    course = Course(settings)
    for lost in judged:
        course.see(lost)

    def reached() -> Descent:
        variables, moments = values(model.variables), values(optimiser.variables)
        return Descent(variables, moments, best, list(training), list(judged), list(rates))

    progress(len(training) * steps, _last(training, judged))
    for epoch in range(len(training), settings.epochs):
        total = sum(float(update(*batch)) for batch in fed(batches(epoch)))
        training.append(round(total / steps, 6))
        turn = Turn(False, False, False)
        if validation:
            judged.append(_mean([judge(*constants(sample)) for sample in validation]))
            turn = course.see(judged[-1])
        if turn.best and settings.keep_best:
            best = model.get_weights()
        if turn.slower:
            optimiser.learning_rate = float(optimiser.learning_rate) * settings.plateau_factor
        rates.append(float(optimiser.learning_rate))
        progress((settings.epochs if turn.over else epoch + 1) * steps, _last(training, judged))
        if turn.over:
            break
        part.save(reached)
    if best is not None:
        model.set_weights(best)
    return Curves(training, [round(lost, 6) for lost in judged], rates)


def values(variables: Sequence[keras.Variable]) -> list[Array]:
    """Return copies of the values of variables, in their order."""
    return [np.asarray(variable).copy() for variable in variables]


def assign(variables: Sequence[keras.Variable], found: Sequence[Array]) -> None:
    """Give variables the values that others of the same network had."""
    for variable, value in zip(variables, found, strict=True):
        variable.assign(value)


def _last(training: Sequence[float], judged: Sequence[float]) -> Losses:
    return Losses(training[-1] if training else None, judged[-1] if judged else None)


_Weighted = tuple[tf.Tensor, tf.Tensor]


def _optimiser(settings: TrainingSettings, steps: int) -> keras.Optimizer:
    rate: Any = settings.learning_rate
    if settings.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, settings.epochs * steps, alpha=0.01)
    if settings.optimiser == "adam":
        return keras.optimizers.Adam(rate, epsilon=EPSILON)
    return keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY, epsilon=EPSILON)


def _traced(settings: TrainingSettings) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Trace a step, without AutoGraph: it holds no Python control flow."""
    traced: Callable[[Callable[..., Any]], Callable[..., Any]] = tf.function(
        autograph=False, reduce_retracing=True, jit_compile=settings.xla or None
    )
    return traced


def _mean(parts: Sequence[_Weighted]) -> float:
    """Mean of losses by their weights."""
    weights = [float(weight) for _, weight in parts]
    return sum(float(loss) * weight for (loss, _), weight in zip(parts, weights, strict=True)) / sum(weights)
