"""What the networks share: how they are put together from inputs, a body and what lies around."""

from __future__ import annotations

from collections.abc import Callable

import keras

from services.trainer.networks.inputs import Scaling, Spread, around, cube_inputs, standardise
from shared.items.model_inputs import ModelInputs

AROUND_FILTERS, AROUND_CHANNELS = 32, 16
"""Channels of the convolutions over what OLCI saw around, and of what they tell each pixel."""

LEVELS = 3
"""Halvings of the encoders: 10, 20, 40, 80 m. A window's sides are multiples of 2 ** LEVELS."""


def widths_of(filters: int) -> list[int]:
    """Return the channels of each level, finest first: doubled at each level but the last."""
    return [filters * 2 ** min(level, LEVELS - 1) for level in range(LEVELS + 1)]


Body = Callable[[keras.KerasTensor, int, int], keras.KerasTensor]
"""A network's own part: (standardised bands, classes, channels of the first level) -> logits."""


def build(name: str, body: Body, classes: int, filters: int, inputs: ModelInputs, scaling: Scaling) -> keras.Model:
    """Build a network on stored values, from scratch.

    Args:
        name: of the model.
        body: from standardised bands, as of `standardise`, to logits.
        classes: number of classes.
        filters: channels of the first level; doubled at each level but the last.
        inputs: what it reads.
        scaling: of them.

    Returns:
        Model: `cube_inputs` -> logits float32 (batch, y, x, classes); y and x are multiples of 8.
    """
    tensors = cube_inputs(inputs)
    bands, landscape = standardise(tensors, inputs, scaling), around(tensors, inputs, scaling)
    if landscape is None:
        logits = body(bands, classes, filters)
    else:
        logits = _fuse(body(bands, 2 * filters, filters), landscape, classes)
    return keras.Model(tensors, in_float32(logits), name=name)


def _fuse(pixels: keras.KerasTensor, landscape: keras.KerasTensor, classes: int) -> keras.KerasTensor:
    """Join what a body says of each pixel with what lies around, late: each is read by a branch of its own."""
    x = landscape
    for _ in range(2):
        x = keras.layers.Conv2D(AROUND_FILTERS, 3, activation="relu")(x)
    x = keras.layers.Dense(AROUND_CHANNELS, activation="relu")(keras.layers.GlobalAveragePooling2D()(x))
    return keras.layers.Conv2D(classes, 1)(Spread()(keras.layers.ReLU()(pixels), x))


def in_float32(values: keras.KerasTensor) -> keras.KerasTensor:
    """Return values in float32: shares of classes are told apart there, whatever the layers before compute in."""
    return values if values.dtype == "float32" else keras.layers.Activation("linear", dtype="float32")(values)
