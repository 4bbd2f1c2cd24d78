"""A U-Net: an encoder and a decoder of convolutions, with the fine levels handed across."""

from __future__ import annotations

from collections.abc import Callable

import keras

from services.trainer.networks.layers import widths_of
from services.trainer.networks.segnet import Pool


def unet(
    bands: keras.KerasTensor,
    classes: int,
    filters: int,
    pool: Callable[[keras.KerasTensor], keras.KerasTensor] = lambda x: keras.layers.MaxPooling2D(2)(x),
) -> keras.KerasTensor:
    """Return the logits of a U-Net; see `layers.build`."""
    widths = widths_of(filters)
    x, skips = bands, []
    for width in widths[:-1]:
        x = _convolve(x, width)
        skips.append(x)
        x = pool(x)
    x = _convolve(x, widths[-1])
    for width, skip in zip(widths[-2::-1], skips[::-1], strict=True):
        x = keras.layers.UpSampling2D(2, interpolation="nearest")(x)  # bilinear fails on export with unknown sides
        x = _convolve(keras.layers.Concatenate()([x, skip]), width)
    # The pixel's own spectrum reaches the head without having been mixed with its neighbours'.
    spectrum = keras.layers.Conv2D(2 * filters, 1, activation="relu")(bands)
    spectrum = keras.layers.Conv2D(filters, 1, activation="relu")(spectrum)
    return keras.layers.Conv2D(classes, 1)(keras.layers.Concatenate()([x, spectrum]))


def unet_for_xla(bands: keras.KerasTensor, classes: int, filters: int) -> keras.KerasTensor:
    """Return the logits of a U-Net: XLA has no deterministic gradient of Keras's own pooling."""
    return unet(bands, classes, filters, lambda x: Pool()(x)[0])


def _convolve(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    """Twice: a 3 x 3 convolution with a 1 x 1 branch beside it, normalised."""
    for _ in range(2):
        wide = keras.layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
        point = keras.layers.Conv2D(width, 1, use_bias=False)(x)
        x = keras.layers.Add()([wide, point])
        x = keras.layers.BatchNormalization(momentum=0.95)(x)
        x = keras.layers.ReLU()(x)
    return x
