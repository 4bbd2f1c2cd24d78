"""A small perceptron on means and deviations over several scales: spectral texture, one pixel at a time."""

from __future__ import annotations

from typing import Any, Final

import keras
import tensorflow as tf

from services.trainer.networks.inputs import (
    BANDS,
    Landscape,
    Scaling,
    Shape,
    Spread,
    around,
    cube_inputs,
    newest_bands,
    standardise,
)
from services.trainer.networks.layers import in_float32
from shared.items.model_inputs import ModelInputs

TEXTURE_PX = (3, 7, 15, 31)
"""Sides of the squares whose mean and deviation the perceptron sees. Half the largest is a window's useful margin."""

FEATURES_OF_BAND: Final = 1 + 2 * len(TEXTURE_PX)
FEATURES = len(BANDS) * FEATURES_OF_BAND


@keras.saving.register_keras_serializable(package="landstream")
class Texture(keras.layers.Layer):  # type: ignore[misc]
    """Standardised bands to multi-scale features: each band, its mean and deviation over squares of observed pixels.

    In: float32 (batch, y, x, channels + 1) as of `standardise`. Out: float32 (batch, y, x, channels + 2 bands scales).

    Args:
        bands: so many of the first channels are looked at over squares.
        options: of the layer.
    """

    def __init__(self, bands: int, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})  # a variance is a small difference of large numbers
        self._bands = bands

    def call(self, bands: tf.Tensor) -> tf.Tensor:
        """See the class."""
        values, present = bands[..., :-1], bands[..., -1:]
        features = [values]
        values = values[..., : self._bands]
        moments = tf.concat([present, values, values * values], axis=-1)
        for side in TEXTURE_PX:
            sums = _square_sum(moments, side)
            count, total, squares = tf.split(sums, [1, self._bands, self._bands], axis=-1)
            count = tf.maximum(count, 0.5)  # a whole number, or 0 where nothing is observed
            mean = total / count
            # The floor keeps float error of a flat surface from becoming texture.
            features += [mean, tf.sqrt(tf.maximum(squares / count - mean * mean, 1e-4))]
        return tf.concat(features, axis=-1)

    def compute_output_shape(self, bands_shape: Shape) -> Shape:
        """Shape of the output."""
        channels = (bands_shape[-1] or 1) - 1
        return (*bands_shape[:3], channels + self._bands * (FEATURES_OF_BAND - 1))


def _square_sum(values: tf.Tensor, side: int) -> tf.Tensor:
    """Sum over side x side px; nothing lies outside the window. Two passes: the square is separable."""
    channels = values.shape[-1]
    # A depthwise convolution, not a pool: oneDNN's takes a fifth of the time.
    rows = tf.nn.depthwise_conv2d(values, tf.ones((side, 1, channels, 1)), (1, 1, 1, 1), "SAME")
    return tf.nn.depthwise_conv2d(rows, tf.ones((1, side, channels, 1)), (1, 1, 1, 1), "SAME")


def build_texture(inputs: ModelInputs, scaling: Scaling) -> keras.Model:
    """`cube_inputs` -> multi-scale features and what OLCI saw around, float32 (batch, y, x, feature)."""
    tensors = cube_inputs(inputs)
    features = Texture(newest_bands(inputs))(standardise(tensors, inputs, scaling))
    landscape = around(tensors, inputs, scaling)
    return keras.Model(tensors, features if landscape is None else Spread()(features, Landscape()(landscape)))


def build_perceptron(classes: int, width: int = FEATURES) -> keras.Model:
    """Features of single pixels -> logits; 1 x 1 convolutions, so that it runs on windows as well.

    In: float32 (batch, y, x, width). Out: float32 (batch, y, x, classes).
    """
    features = keras.Input((None, None, width))
    x = features
    for channels in (128, 64):
        x = keras.layers.Conv2D(channels, 1, activation="relu")(x)
        x = keras.layers.Dropout(0.1)(x)
    return keras.Model(features, in_float32(keras.layers.Conv2D(classes, 1)(x)), name="perceptron")


def build_multiscale(texture: keras.Model, perceptron: keras.Model, inputs: ModelInputs) -> keras.Model:
    """Join features and perceptron: `cube_inputs` -> logits float32 (batch, y, x, classes)."""
    tensors = cube_inputs(inputs)
    return keras.Model(tensors, perceptron(texture(tensors)), name="multiscale")
