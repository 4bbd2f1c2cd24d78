"""A U-Net: an encoder and a decoder of convolutions, with the fine levels handed across."""

from __future__ import annotations

import keras

from services.trainer.networks.layers import Array, Normalise, cube_inputs, widths_of


def build_unet(classes: int, filters: int, mean: Array, deviation: Array) -> keras.Model:
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
    fine, coarse = cube_inputs()
    bands = Normalise(mean, deviation)(fine, coarse)
    widths = widths_of(filters)
    x, skips = bands, []
    for width in widths[:-1]:
        x = convolve(x, width)
        skips.append(x)
        x = keras.layers.MaxPooling2D(2)(x)
    x = convolve(x, widths[-1])
    for width, skip in zip(widths[-2::-1], skips[::-1], strict=True):
        x = keras.layers.UpSampling2D(2, interpolation="nearest")(x)  # bilinear fails on export with unknown sides
        x = convolve(keras.layers.Concatenate()([x, skip]), width)
    # The pixel's own spectrum reaches the head without having been mixed with its neighbours'.
    spectrum = keras.layers.Conv2D(2 * filters, 1, activation="relu")(bands)
    spectrum = keras.layers.Conv2D(filters, 1, activation="relu")(spectrum)
    logits = keras.layers.Conv2D(classes, 1)(keras.layers.Concatenate()([x, spectrum]))
    return keras.Model([fine, coarse], logits, name="unet")


def convolve(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    """Twice: a 3 x 3 convolution with a 1 x 1 branch beside it, normalised."""
    for _ in range(2):
        wide = keras.layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
        point = keras.layers.Conv2D(width, 1, use_bias=False)(x)
        x = keras.layers.Add()([wide, point])
        x = keras.layers.BatchNormalization(momentum=0.95)(x)
        x = keras.layers.ReLU()(x)
    return x
