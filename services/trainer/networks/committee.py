"""A weighted vote of several networks: their errors differ, so together they beat each."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from services.trainer.networks.layers import cube_inputs


def build_committee(members: Sequence[keras.Model], weights: Sequence[float] | None = None) -> keras.Model:
    """Build the weighted mean of the members' probabilities.

    Args:
        members: each msi_10m, msi_20m -> logits (batch, y, x, classes).
        weights: what each vote counts, sums to 1; None = all count alike.

    Returns:
        Model: msi_10m, msi_20m -> float32 (batch, y, x, classes), sums to 1.
    """
    fine, coarse = cube_inputs()
    votes = [keras.layers.Softmax(dtype="float32")(member([fine, coarse])) for member in members]
    if len(votes) == 1:
        share = votes[0]
    elif weights is None:
        share = keras.layers.Average(dtype="float32")(votes)
    else:
        share = keras.layers.Add(dtype="float32")([weight * v for weight, v in zip(weights, votes, strict=True)])
    return keras.Model([fine, coarse], share, name="committee")
