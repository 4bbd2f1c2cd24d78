"""A weighted vote of several networks: their errors differ, so together they beat each."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from services.trainer.networks.inputs import cube_inputs
from shared.items.model_inputs import ModelInputs


def build_committee(
    members: Sequence[keras.Model], inputs: ModelInputs, weights: Sequence[float] | None = None
) -> keras.Model:
    """Build the weighted mean of the members' probabilities.

    Args:
        members: each `cube_inputs` -> logits (batch, y, x, classes).
        inputs: what they read.
        weights: what each vote counts, sums to 1; None = all count alike.

    Returns:
        Model: `cube_inputs` -> float32 (batch, y, x, classes), sums to 1.
    """
    tensors = cube_inputs(inputs)
    votes = [keras.layers.Softmax(dtype="float32")(member(tensors)) for member in members]
    if len(votes) == 1:
        share = votes[0]
    elif weights is None:
        share = keras.layers.Average(dtype="float32")(votes)
    else:
        share = keras.layers.Add(dtype="float32")([weight * v for weight, v in zip(weights, votes, strict=True)])
    return keras.Model(tensors, share, name="committee")
