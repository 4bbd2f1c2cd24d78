"""Losses over labelled pixels: cross-entropy, focal and dice, with smoothed labels and weights of classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from shared.area.recipe import Recipe

Array = npt.NDArray[Any]
Loss = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
"""(target uint8 (batch, y, x), 0 = none, weight float32 (batch, y, x), logits (batch, y, x, classes)) -> float32 ()."""

NO_WEIGHT = 1e-6
"""A batch without a weighing pixel has loss 0."""


def balanced_weights(targets: Array, classes: int) -> Array:
    """Weigh classes so that each counts as much as any other, and a pixel 1 in the mean.

    Args:
        targets: uint8 of any shape: 0 = no loss.
        classes: number of classes.

    Returns:
        float32 (1 + classes,), by raster value; 0 for unlabelled pixels and classes without any.
    """
    counts = np.bincount(targets.ravel(), minlength=classes + 1).astype(np.float64)
    counts[0] = 0
    present = counts > 0
    weights = np.zeros(classes + 1, np.float32)
    weights[present] = counts.sum() / (present.sum() * counts[present])
    return weights


def weigh(target: tf.Tensor, near: tf.Tensor, settings: Recipe, by_class: Array | None) -> tf.Tensor:
    """Weigh pixels: 0 without a label, less near a label edge and in common classes.

    Args:
        target: uint8 (batch, y, x): 0 = no loss.
        near: bool (batch, y, x): near a label edge.
        settings: the weight of such pixels.
        by_class: float32 (1 + classes,), by raster value; None where all classes count alike.

    Returns:
        float32 (batch, y, x).
    """
    weight = tf.cast(target > 0, tf.float32)
    if by_class is not None:
        weight *= tf.gather(tf.constant(by_class), tf.cast(target, tf.int32))
    if settings.edge_weight:
        weight *= tf.where(near, settings.edge_weight, 1.0)
    return weight


def build_loss(settings: Recipe, classes: int) -> Loss:
    """Return the loss that settings name, over the pixels of a batch; it is computed in float32."""
    per_pixel = settings.loss != "dice"

    def loss(target: tf.Tensor, weight: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        logits = tf.cast(logits, tf.float32)
        index = tf.maximum(tf.cast(target, tf.int32) - 1, 0)
        if not per_pixel:
            return _dice(index, weight, logits, settings.label_smoothing)
        if settings.loss == "cross_entropy" and not settings.label_smoothing:
            values = tf.nn.sparse_softmax_cross_entropy_with_logits(index, logits)
        else:
            values = _soft(index, logits, settings)
        return tf.reduce_sum(values * weight) / tf.maximum(tf.reduce_sum(weight), NO_WEIGHT)

    def _soft(index: tf.Tensor, logits: tf.Tensor, settings: Recipe) -> tf.Tensor:
        log_share = tf.nn.log_softmax(logits)
        values = -_smoothed(index, classes, settings.label_smoothing) * log_share
        if settings.loss == "focal":
            # The floor keeps the gradient finite for exponents below 1.
            values *= tf.maximum(1 - tf.exp(log_share), 1e-7) ** settings.focal_gamma
        return tf.reduce_sum(values, axis=-1)

    def _dice(index: tf.Tensor, weight: tf.Tensor, logits: tf.Tensor, smoothing: float) -> tf.Tensor:
        share, wanted = tf.nn.softmax(logits), _smoothed(index, classes, smoothing)
        weight, axes = weight[..., None], (0, 1, 2)
        overlap = tf.reduce_sum(weight * share * wanted, axes)
        total = tf.reduce_sum(weight * (share + wanted), axes)
        present = tf.cast(tf.reduce_sum(weight * tf.one_hot(index, classes), axes) > 0, tf.float32)
        dice = 2 * overlap / tf.maximum(total, NO_WEIGHT)
        return tf.reduce_sum(present * (1 - dice)) / tf.maximum(tf.reduce_sum(present), 1.0)

    return loss


def _smoothed(index: tf.Tensor, classes: int, smoothing: float) -> tf.Tensor:
    """Labels as shares of the classes: float32 (..., classes)."""
    return tf.one_hot(index, classes) * (1 - smoothing) + smoothing / classes
