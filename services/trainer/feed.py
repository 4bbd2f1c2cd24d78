"""Hand batches to TensorFlow, the next ones made while the last one is learned from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import tensorflow as tf

from services.trainer.augment import Batch

AHEAD = 2
"""Batches made ahead."""

Tensors = tuple[tuple[tf.Tensor, ...], tf.Tensor, tf.Tensor]
"""Inputs, target and near of a batch."""


def fed(batches: Iterable[Batch]) -> Iterator[Tensors]:
    """Yield batches as tensors, in their order, as they are stored: casting is the graph's.

    Args:
        batches: all of the same shapes; taken from a thread of tf.data, all but `AHEAD` before the last is yielded.
    """
    each = iter(batches)
    first = next(each, None)
    if first is None:
        return
    tensors = constants(first)
    specs = tf.nest.map_structure(tf.TensorSpec.from_tensor, tensors)
    data = tf.data.Dataset.from_generator(lambda: map(tuple, chain([first], each)), output_signature=specs)
    yield from data.prefetch(AHEAD)


def constants(batch: Batch) -> Tensors:
    """Return a batch as tensors."""
    return tuple(tf.constant(values) for values in batch.inputs), tf.constant(batch.target), tf.constant(batch.near)
