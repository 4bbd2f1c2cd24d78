"""Hand batches to TensorFlow, the next ones made while the last one is learned from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import tensorflow as tf

from services.trainer.augment import Batch

AHEAD = 2
"""Batches made ahead."""

Tensors = tuple[tuple[tf.Tensor, ...], tf.Tensor, tf.Tensor]
"""Inputs, target and near of a batch."""


def fed(batches: Iterable[Batch]) -> Iterator[Tensors]:
    """Yield batches as tensors, in their order, as they are stored: casting is the graph's.

    A thread, not `tf.data.Dataset.from_generator`: there an update waits for its batch a hundred times as long, as
    TensorFlow's few threads, whose number is fixed for the sake of the bits, are busy with the update before it.

    Args:
        batches: taken by that thread; all are before the last is yielded.
    """
    each = iter(batches)

    def make() -> Tensors | None:
        batch = next(each, None)
        return None if batch is None else constants(batch)

    with ThreadPoolExecutor(1) as maker:
        ahead: deque[Future[Tensors | None]] = deque(maker.submit(make) for _ in range(AHEAD))
        while (tensors := ahead.popleft().result()) is not None:
            ahead.append(maker.submit(make))
            yield tensors


def constants(batch: Batch) -> Tensors:
    """Return a batch as tensors."""
    return tuple(tf.constant(values) for values in batch.inputs), tf.constant(batch.target), tf.constant(batch.near)
