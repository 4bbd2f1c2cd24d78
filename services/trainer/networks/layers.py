"""What the networks share: their inputs in the cube's own encoding, and how they standardise them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from shared.sensors import CUBE_BANDS

BANDS_10M, BANDS_20M = CUBE_BANDS["10m"], CUBE_BANDS["20m"]
BANDS = (*BANDS_10M, *BANDS_20M)
Shape = tuple[int | None, ...]
Array = npt.NDArray[Any]
LEVELS = 3
"""Halvings of the encoders: 10, 20, 40, 80 m. A window's sides are multiples of 2 ** LEVELS."""


def widths_of(filters: int) -> list[int]:
    """Return the channels of each level, finest first: doubled at each level but the last."""
    return [filters * 2 ** min(level, LEVELS - 1) for level in range(LEVELS + 1)]


def cube_inputs() -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the inputs of every network: msi_10m uint16 (batch, y, x, 4), msi_20m uint16 (batch, y/2, x/2, 6)."""
    return (
        keras.Input((None, None, len(BANDS_10M)), dtype="uint16", name="msi_10m"),
        keras.Input((None, None, len(BANDS_20M)), dtype="uint16", name="msi_20m"),
    )


@keras.saving.register_keras_serializable(package="landstream")
class Normalise(keras.layers.Layer):  # type: ignore[misc]
    """Stored values to standardised bands with a presence channel.

    In: msi_10m uint16 (batch, y, x, 4), msi_20m uint16 (batch, y/2, x/2, 6). Out: float32 (batch, y, x, 11): ten bands
    in units of their deviation over the training pixels, clipped to +-6, 0 where not observed, then presence 0 or 1.
    With a mean and a deviation of the four bands of 10 m alone, the others are not looked at: float32 (batch, y, x, 5).
    """

    def __init__(self, mean: Array, deviation: Array, **options: Any) -> None:
        # Stored values need float32, whatever the layers behind compute in.
        super().__init__(**{"dtype": "float32", **options})
        self._initial = np.stack([mean, deviation]).astype(np.float32)
        self._fine_alone = len(mean) == len(BANDS_10M)
        self.scaling = self.add_weight(
            shape=self._initial.shape,
            initializer=lambda shape, dtype=None: tf.constant(self._initial, dtype),
            trainable=False,
            name="scaling",
        )

    def call(self, msi_10m: tf.Tensor, msi_20m: tf.Tensor) -> tf.Tensor:
        """See the class."""
        stored = tf.cast(msi_10m, tf.float32)
        if not self._fine_alone:
            coarse = tf.cast(msi_20m, tf.float32)  # first: TensorFlow cannot repeat uint16 on a CPU
            coarse = tf.repeat(tf.repeat(coarse, 2, axis=1), 2, axis=2)  # nearest, exact on a shared lattice
            stored = tf.concat([stored, coarse], axis=-1)
        present = tf.cast(tf.reduce_min(stored, axis=-1, keepdims=True) > 0, tf.float32)
        scaled = tf.clip_by_value((stored - self.scaling[0]) / self.scaling[1], -6.0, 6.0)
        return tf.concat([scaled * present, present], axis=-1)

    def compute_output_shape(self, msi_10m_shape: Shape, msi_20m_shape: Shape) -> Shape:
        """Shape of the output."""
        return (*msi_10m_shape[:3], self._initial.shape[1] + 1)


Body = Callable[[keras.KerasTensor, int, int], keras.KerasTensor]
"""A network's own part: (standardised bands, classes, channels of the first level) -> logits."""


def build(name: str, body: Body, classes: int, filters: int, mean: Array, deviation: Array) -> keras.Model:
    """Build a network on stored values, from scratch.

    Args:
        name: of the model.
        body: from standardised bands, as of `Normalise`, to logits.
        classes: number of classes.
        filters: channels of the first level; doubled at each level but the last.
        mean: float (10,), stored value, bands as `BANDS`; or (4,), of the bands of 10 m alone.
        deviation: float (10,) or (4,).

    Returns:
        Model: msi_10m uint16 (batch, y, x, 4), msi_20m uint16 (batch, y/2, x/2, 6) -> logits float32
        (batch, y, x, classes); y and x are multiples of 8.
    """
    fine, coarse = cube_inputs()
    logits = body(Normalise(mean, deviation)(fine, coarse), classes, filters)
    return keras.Model([fine, coarse], in_float32(logits), name=name)


def in_float32(values: keras.KerasTensor) -> keras.KerasTensor:
    """Return values in float32: shares of classes are told apart there, whatever the layers before compute in."""
    return values if values.dtype == "float32" else keras.layers.Activation("linear", dtype="float32")(values)
