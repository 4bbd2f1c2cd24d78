"""SegNet: the decoder puts each value back where the encoder's pooling took it from, without skip connections.

Badrinarayanan, Kendall, Cipolla (2017): SegNet: A Deep Convolutional Encoder-Decoder Architecture.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from services.trainer.networks.inputs import Shape
from services.trainer.networks.layers import widths_of

CONVOLUTIONS = 2
"""In each level, on either side."""


@keras.saving.register_keras_serializable(package="landstream")
class Pool(keras.layers.Layer):  # type: ignore[misc]
    """Keep the largest of each 2 x 2 px, and where it stood.

    In: float32 (batch, y, x, channel). Out: float32 (batch, y/2, x/2, channel), and where: float32
    (batch, y/2, x/2, 4, channel), 1 at the place of the largest, the first of equals, row by row, else 0.
    """

    def call(self, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See the class."""
        cells = _to_cells(values)
        where = tf.one_hot(tf.argmax(tf.stop_gradient(cells), axis=3), 4, axis=3, dtype=values.dtype)
        return tf.reduce_sum(cells * where, axis=3), where

    def compute_output_shape(self, shape: Shape) -> tuple[Shape, Shape]:
        """Shapes of the outputs."""
        batch, y, x, channels = shape
        y, x = (None if side is None else side // 2 for side in (y, x))
        return (batch, y, x, channels), (batch, y, x, 4, channels)


@keras.saving.register_keras_serializable(package="landstream")
class Unpool(keras.layers.Layer):  # type: ignore[misc]
    """Put each value back where `Pool` took one from; 0 elsewhere.

    In: float32 (batch, y, x, channel), and where: float32 (batch, y, x, 4, channel).
    Out: float32 (batch, 2y, 2x, channel).
    """

    def call(self, values: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
        """See the class."""
        cells = values[:, :, :, None, :] * where
        batch, y, x, channels = (tf.shape(values)[0], tf.shape(values)[1], tf.shape(values)[2], values.shape[-1])
        split = tf.reshape(cells, (batch, y, x, 2, 2, channels))
        return tf.reshape(tf.transpose(split, (0, 1, 3, 2, 4, 5)), (batch, 2 * y, 2 * x, channels))

    def compute_output_shape(self, values_shape: Shape, where_shape: Shape) -> Shape:
        """Shape of the output."""
        batch, y, x, channels = values_shape
        return (batch, *(None if side is None else 2 * side for side in (y, x)), channels)


def _to_cells(values: tf.Tensor) -> tf.Tensor:
    """Return the four values of each 2 x 2 px side by side: (batch, y/2, x/2, 4, channel), row by row."""
    batch, y, x, channels = (tf.shape(values)[0], tf.shape(values)[1], tf.shape(values)[2], values.shape[-1])
    split = tf.reshape(values, (batch, y // 2, 2, x // 2, 2, channels))
    return tf.reshape(tf.transpose(split, (0, 1, 3, 2, 4, 5)), (batch, y // 2, x // 2, 4, channels))


def segnet(x: keras.KerasTensor, classes: int, filters: int) -> keras.KerasTensor:
    """Return the logits of a SegNet; see `layers.build`."""
    places = []
    widths = widths_of(filters)[:-1]
    for width in widths:
        x, where = Pool()(_convolve(x, width, CONVOLUTIONS))
        places.append(where)
    for width, narrower, where in zip(widths[::-1], [*widths[-2::-1], widths[0]], places[::-1], strict=True):
        x = _convolve(Unpool()(x, where), width, CONVOLUTIONS - 1)
        x = _convolve(x, narrower, 1)
    return keras.layers.Conv2D(classes, 1)(x)


def _convolve(x: keras.KerasTensor, width: int, times: int) -> keras.KerasTensor:
    for _ in range(times):
        x = keras.layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization(momentum=0.95)(x)
        x = keras.layers.ReLU()(x)
    return x
