"""A segmentation with a residual encoder: each block learns what is to be added to its input.

He, Zhang, Ren, Sun (2016): Deep Residual Learning; the decoder adds the encoder's levels as LinkNet does (Chaurasia,
Culurciello 2017).
"""

from __future__ import annotations

import keras

from services.trainer.networks.layers import widths_of

BLOCKS = 2
"""Residual blocks of each level."""


def resnet(x: keras.KerasTensor, classes: int, filters: int) -> keras.KerasTensor:
    """Return the logits of a network with a residual encoder; see `layers.build`."""
    # The stem keeps 10 m: one at 20 m loses what tells narrow things apart.
    x = _normalised(keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x))
    levels = []
    for level, width in enumerate(widths_of(filters)):
        for block in range(BLOCKS):
            x = _residual(x, width, stride=2 if level and not block else 1)
        levels.append(x)
    for level in levels[-2::-1]:
        x = keras.layers.UpSampling2D(2, interpolation="nearest")(x)  # bilinear fails on export with unknown sides
        x = _normalised(keras.layers.Conv2D(level.shape[-1], 3, padding="same", use_bias=False)(x))
        x = keras.layers.Add()([x, level])
    return keras.layers.Conv2D(classes, 1)(x)


def _residual(x: keras.KerasTensor, width: int, stride: int) -> keras.KerasTensor:
    """Two 3 x 3 convolutions beside the input itself; a 1 x 1 convolution carries it over where the shape changes."""
    beside = _normalised(keras.layers.Conv2D(width, 3, strides=stride, padding="same", use_bias=False)(x))
    beside = keras.layers.Conv2D(width, 3, padding="same", use_bias=False)(beside)
    beside = keras.layers.BatchNormalization(momentum=0.95)(beside)
    if stride > 1:
        # A 1 x 1 convolution with a stride would leave three pixels of four out (He et al. 2019, ResNet-D); and its
        # gradient writes beyond its memory in TensorFlow 2.20 on CPUs.
        x = keras.layers.AveragePooling2D(stride)(x)
    if x.shape[-1] != width:
        x = keras.layers.Conv2D(width, 1, use_bias=False)(x)
        x = keras.layers.BatchNormalization(momentum=0.95)(x)
    return keras.layers.ReLU()(keras.layers.Add()([x, beside]))


def _normalised(x: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.95)(x))
