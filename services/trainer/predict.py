"""What a network says of windows, in the numbers that a client of its exported form gets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from services.trainer.windows import Windows
from shared.items.model_inputs import ModelInputs

BATCH = 8
"""Windows in one prediction of a model that reads one week."""

Array = npt.NDArray[Any]


def batch_of(inputs: ModelInputs) -> int:
    """Return how many windows are in one prediction: as many pictures, however many weeks a window has."""
    return max(1, BATCH // (inputs.history_weeks + 1))


def predict_windows(
    model: keras.Model, inputs: ModelInputs, batches: Iterable[Windows], size: int
) -> Iterator[tuple[Windows, Array, Array]]:
    """Map windows, in batches of one fixed (padded) size.

    Args:
        model: one that gives probabilities.
        inputs: what it reads.
        batches: up to `size` windows each.
        size: windows in a batch.

    Yields:
        (windows, class uint8 (n, y, x): 1..K, 0 where not observed, confidence uint8 (n, y, x): percent, 0 where not
        observed, rounded as the exported model rounds it).
    """

    def answer(*bands: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        share = model(list(bands), training=False)
        percent = tf.cast(tf.round(tf.reduce_max(share, axis=-1) * 100), tf.uint8)
        return tf.argmax(share, axis=-1), percent

    compute: Callable[..., tuple[tf.Tensor, tf.Tensor]] | None = None
    for windows in batches:
        count = len(windows.places)
        given = [tf.constant(values) for values in windows.padded(size, inputs)]
        if compute is None:
            traced = tf.function(answer, autograph=False)
            compute = traced.get_concrete_function(*(tf.TensorSpec(g.shape, g.dtype) for g in given))
        seen = (windows.msi_10m > 0).all(axis=-1)
        chosen, percent = (values.numpy()[:count] for values in compute(*given))
        yield windows, (chosen + 1).astype(np.uint8) * seen, percent * seen
