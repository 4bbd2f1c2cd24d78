"""The weights of a SavedModel that people bring, read from its checkpoint: nothing of its graph is run for it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

_BOOKKEEPING = ("_CHECKPOINTABLE_OBJECT_GRAPH", "save_counter")
"""What a checkpoint holds beside weights."""


class Weights(NamedTuple):
    """What there is to say of weights.

    Attributes:
        sha256: over name, dtype, shape and bytes, in the order of the names.
        parameters: how many numbers.
    """

    sha256: str
    parameters: int


def weights_of(folder: Path) -> Weights:
    """Return digest and number of the weights of a SavedModel's folder.

    Raises:
        ValueError: its checkpoint cannot be read.
    """
    digest, parameters = hashlib.sha256(), 0
    if not (folder / "variables" / "variables.index").is_file():
        return Weights(digest.hexdigest(), 0)
    try:
        reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
        for name in sorted(reader.get_variable_to_shape_map()):
            if name.split("/")[0] in _BOOKKEEPING:
                continue
            value = np.asarray(reader.get_tensor(name))
            digest.update(f"{name}|{value.dtype}|{value.shape}|".encode() + np.ascontiguousarray(value).tobytes())
            parameters += value.size
    except (tf.errors.OpError, RuntimeError) as error:
        raise ValueError(" ".join(str(error).split())[:200]) from error
    return Weights(digest.hexdigest(), parameters)
