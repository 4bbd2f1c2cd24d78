"""Build the networks: a U-Net for shape and a small perceptron for texture, both from the cube's own encoding.

Late fusion of the two beats either alone on real ground (their errors differ), and both fit one SavedModel.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from shared.sensors import CUBE_BANDS

BANDS_10M, BANDS_20M = CUBE_BANDS["10m"], CUBE_BANDS["20m"]
BANDS = (*BANDS_10M, *BANDS_20M)
Shape = tuple[int | None, ...]
LEVELS = 3
"""Halvings of the U-Net: 10, 20, 40, 80 m. A window's sides are multiples of 2 ** LEVELS."""

TEXTURE_PX = (3, 7, 15, 31)
"""Sides of the squares whose mean and deviation the perceptron sees. Half the largest is a window's useful margin."""

FEATURES = len(BANDS) * (1 + 2 * len(TEXTURE_PX))


@keras.saving.register_keras_serializable(package="landstream")
class Normalise(keras.layers.Layer):  # type: ignore[misc]
    """Stored values to standardised bands with a presence channel.

    In: msi_10m uint16 (batch, y, x, 4), msi_20m uint16 (batch, y/2, x/2, 6). Out: float32 (batch, y, x, 11): ten bands
    in units of their deviation over the training pixels, clipped to +-6, 0 where not observed, then presence 0 or 1.
    """

    def __init__(self, mean: npt.NDArray[Any], deviation: npt.NDArray[Any], **options: Any) -> None:
        super().__init__(**options)
        self._initial = np.stack([mean, deviation]).astype(np.float32)
        self.scaling = self.add_weight(
            shape=(2, len(BANDS)),
            initializer=lambda shape, dtype=None: tf.constant(self._initial, dtype),
            trainable=False,
            name="scaling",
        )

    def call(self, msi_10m: tf.Tensor, msi_20m: tf.Tensor) -> tf.Tensor:
        """See the class."""
        coarse = tf.cast(msi_20m, tf.float32)  # first: TensorFlow cannot repeat uint16 on a CPU
        coarse = tf.repeat(tf.repeat(coarse, 2, axis=1), 2, axis=2)  # nearest, exact on a shared lattice
        stored = tf.concat([tf.cast(msi_10m, tf.float32), coarse], axis=-1)
        present = tf.cast(tf.reduce_min(stored, axis=-1, keepdims=True) > 0, tf.float32)
        scaled = tf.clip_by_value((stored - self.scaling[0]) / self.scaling[1], -6.0, 6.0)
        return tf.concat([scaled * present, present], axis=-1)

    def compute_output_shape(self, msi_10m_shape: Shape, msi_20m_shape: Shape) -> Shape:
        """Shape of the output."""
        return (*msi_10m_shape[:3], len(BANDS) + 1)


@keras.saving.register_keras_serializable(package="landstream")
class Texture(keras.layers.Layer):  # type: ignore[misc]
    """Standardised bands to multi-scale features: each band, its mean and deviation over squares of observed pixels.

    In: float32 (batch, y, x, 11) as of `Normalise`. Out: float32 (batch, y, x, FEATURES).
    """

    def call(self, bands: tf.Tensor) -> tf.Tensor:
        """See the class."""
        values, present = bands[..., :-1], bands[..., -1:]
        features = [values]
        for side in TEXTURE_PX:
            share = tf.maximum(_square_mean(present, side), 1e-6)
            mean = _square_mean(values, side) / share
            variance = _square_mean(values * values, side) / share - mean * mean
            # The floor keeps float error of a flat surface from becoming texture.
            features += [mean, tf.sqrt(tf.maximum(variance, 1e-4))]
        return tf.concat(features, axis=-1)

    def compute_output_shape(self, bands_shape: Shape) -> Shape:
        """Shape of the output."""
        return (*bands_shape[:3], FEATURES)


def _square_mean(values: tf.Tensor, side: int) -> tf.Tensor:
    """Mean over side x side px; what lies outside the window is left out. Two passes: the square is separable."""
    rows = tf.nn.avg_pool2d(values, (side, 1), strides=1, padding="SAME")
    return tf.nn.avg_pool2d(rows, (1, side), strides=1, padding="SAME")


def build_texture(mean: npt.NDArray[Any], deviation: npt.NDArray[Any]) -> keras.Model:
    """msi_10m, msi_20m -> multi-scale features, float32 (batch, y, x, FEATURES)."""
    fine, coarse = _inputs()
    return keras.Model([fine, coarse], Texture()(Normalise(mean, deviation)(fine, coarse)))


def build_perceptron(classes: int) -> keras.Model:
    """Features of single pixels -> logits; 1 x 1 convolutions, so that it runs on windows as well.

    In: float32 (batch, y, x, FEATURES). Out: float32 (batch, y, x, classes).
    """
    features = keras.Input((None, None, FEATURES))
    x = features
    for width in (128, 64):
        x = keras.layers.Conv2D(width, 1, activation="relu")(x)
        x = keras.layers.Dropout(0.1)(x)
    return keras.Model(features, keras.layers.Conv2D(classes, 1)(x), name="perceptron")


def build_unet(classes: int, filters: int, mean: npt.NDArray[Any], deviation: npt.NDArray[Any]) -> keras.Model:
    """U-Net on stored values, from scratch.

    Args:
        classes: number of classes.
        filters: channels of the first level; doubled at each level but the last.
        mean: float (10,), stored value, bands as `BANDS`.
        deviation: float (10,).

    Returns:
        Model: msi_10m uint16 (batch, y, x, 4), msi_20m uint16 (batch, y/2, x/2, 6) -> logits float32
        (batch, y, x, classes); y and x are multiples of 8.
    """
    fine, coarse = _inputs()
    bands = Normalise(mean, deviation)(fine, coarse)
    widths = [filters * 2 ** min(level, LEVELS - 1) for level in range(LEVELS + 1)]
    x, skips = bands, []
    for width in widths[:-1]:
        x = _convolve(x, width)
        skips.append(x)
        x = keras.layers.MaxPooling2D(2)(x)
    x = _convolve(x, widths[-1])
    for width, skip in zip(widths[-2::-1], skips[::-1], strict=True):
        x = keras.layers.UpSampling2D(2, interpolation="nearest")(x)  # bilinear fails on export with unknown sides
        x = _convolve(keras.layers.Concatenate()([x, skip]), width)
    # The pixel's own spectrum reaches the head without having been mixed with its neighbours'.
    spectrum = keras.layers.Conv2D(2 * filters, 1, activation="relu")(bands)
    spectrum = keras.layers.Conv2D(filters, 1, activation="relu")(spectrum)
    logits = keras.layers.Conv2D(classes, 1)(keras.layers.Concatenate()([x, spectrum]))
    return keras.Model([fine, coarse], logits, name="unet")


def _convolve(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    """Twice: a 3 x 3 convolution with a 1 x 1 branch beside it, normalised."""
    for _ in range(2):
        wide = keras.layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
        point = keras.layers.Conv2D(width, 1, use_bias=False)(x)
        x = keras.layers.Add()([wide, point])
        x = keras.layers.BatchNormalization(momentum=0.95)(x)
        x = keras.layers.ReLU()(x)
    return x


def _inputs() -> tuple[keras.KerasTensor, keras.KerasTensor]:
    return (
        keras.Input((None, None, len(BANDS_10M)), dtype="uint16", name="msi_10m"),
        keras.Input((None, None, len(BANDS_20M)), dtype="uint16", name="msi_20m"),
    )


def build_committee(unet: keras.Model, texture: keras.Model, perceptron: keras.Model) -> keras.Model:
    """Build the mean of both networks' probabilities.

    Returns:
        Model: msi_10m, msi_20m -> float32 (batch, y, x, classes), sums to 1.
    """
    fine, coarse = _inputs()
    shape = keras.layers.Softmax()(unet([fine, coarse]))
    spectrum = keras.layers.Softmax()(perceptron(texture([fine, coarse])))
    return keras.Model([fine, coarse], keras.layers.Average()([shape, spectrum]), name="committee")
