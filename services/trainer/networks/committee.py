"""A weighted vote of several networks: their errors differ, so together they beat each."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from services.trainer.networks.layers import cube_inputs


def build_committee(members: Sequence[keras.Model]) -> keras.Model:
    """Build the mean of the members' probabilities.

    Args:
        members: each msi_10m, msi_20m -> logits (batch, y, x, classes).

    Returns:
        Model: msi_10m, msi_20m -> float32 (batch, y, x, classes), sums to 1.
    """
    fine, coarse = cube_inputs()
    votes = [keras.layers.Softmax(dtype="float32")(member([fine, coarse])) for member in members]
    share = keras.layers.Average(dtype="float32")(votes) if len(votes) > 1 else votes[0]
    return keras.Model([fine, coarse], share, name="committee")
