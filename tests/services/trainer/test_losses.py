"""Losses, on numbers that can be followed by hand, and beside Keras's own."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from services.trainer.losses import balanced_weights, build_loss, weigh
from shared.area.training import TrainingSettings

SHARES = np.array([[[[0.7, 0.2, 0.1], [0.25, 0.5, 0.25], [0.1, 0.1, 0.8]]]], np.float32)
"""Of three classes in three pixels: (batch, y, x, class)."""
TARGET = np.array([[[1, 2, 0]]], np.uint8)
"""The third pixel has no label."""
NOWHERE = np.zeros((1, 1, 3), bool)


def lost(target: np.ndarray = TARGET, near: np.ndarray = NOWHERE, by_class: Any = None, **fields: Any) -> float:
    settings = TrainingSettings(**fields)
    weight = weigh(tf.constant(target), tf.constant(near), settings, by_class)
    return float(build_loss(settings, 3)(tf.constant(target), weight, tf.constant(np.log(SHARES))))


def test_cross_entropy_is_over_labelled_pixels() -> None:
    assert lost() == pytest.approx(-(math.log(0.7) + math.log(0.5)) / 2, rel=1e-5)


def test_focal_counts_what_is_mapped_well_less() -> None:
    expected = -(0.3**2 * math.log(0.7) + 0.5**2 * math.log(0.5)) / 2
    assert lost(loss="focal") == pytest.approx(expected, rel=1e-5)
    assert lost(loss="focal", focal_gamma=0) == pytest.approx(lost(), rel=1e-5)


def test_focal_has_a_finite_gradient_where_a_pixel_is_mapped_for_sure() -> None:
    settings = TrainingSettings(loss="focal", focal_gamma=0.5)
    logits = tf.Variable([[[[200.0, 0.0, 0.0]]]])
    with tf.GradientTape() as tape:
        value = build_loss(settings, 3)(tf.constant([[[1]]], tf.uint8), tf.ones((1, 1, 1)), logits)
    assert np.isfinite(tape.gradient(value, logits).numpy()).all()


def test_dice_is_the_overlap_of_the_classes_that_a_batch_holds() -> None:
    first = 2 * 0.7 / (0.7 + 0.25 + 1)
    second = 2 * 0.5 / (0.2 + 0.5 + 1)
    assert lost(loss="dice") == pytest.approx(1 - (first + second) / 2, rel=1e-5)


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_smoothing_is_that_of_keras(loss: str, smoothing: float) -> None:
    theirs = {
        "cross_entropy": keras.losses.CategoricalCrossentropy(label_smoothing=smoothing),
        "focal": keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=2.0, label_smoothing=smoothing),
    }[loss]
    wanted = tf.one_hot(TARGET[0, :, :2] - 1, 3)
    assert lost(loss=loss, label_smoothing=smoothing) == pytest.approx(
        float(theirs(wanted, SHARES[0, :, :2])), rel=1e-4
    )


def test_smoothed_dice_wants_a_share_of_every_class() -> None:
    smoothed = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    shares = SHARES[0, 0, :2].astype(float)
    overlap = 2 * (shares * smoothed).sum(axis=0) / (shares + smoothed).sum(axis=0)
    assert lost(loss="dice", label_smoothing=0.3) == pytest.approx(1 - overlap[:2].mean(), rel=1e-5)


def test_balanced_classes_count_alike() -> None:
    target = np.array([[1, 1, 1, 2, 0, 0]], np.uint8)
    weights = balanced_weights(target, 3)
    np.testing.assert_allclose(weights, [0, 4 / (2 * 3), 4 / (2 * 1), 0])
    assert weights[target].sum() == pytest.approx(4), "one in the mean"
    by_class = np.array([0, 3, 1, 1], np.float32)
    expected = -(3 * math.log(0.7) + math.log(0.5)) / 4
    assert lost(by_class=by_class, class_weights="balanced") == pytest.approx(expected, rel=1e-5)


def test_pixels_near_an_edge_count_their_weight() -> None:
    near = np.array([[[True, False, True]]])
    expected = -(0.25 * math.log(0.7) + math.log(0.5)) / 1.25
    assert lost(near=near, edge_px=1, edge_weight=0.25) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", ["cross_entropy", "focal", "dice"])
def test_a_batch_without_a_label_has_no_loss(loss: str) -> None:
    assert lost(np.zeros_like(TARGET), loss=loss) == 0
