"""Feeding: batches come as they are, in their order, a few made ahead."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf

from services.trainer.augment import Batch
from services.trainer.feed import AHEAD, fed


def batch(value: int) -> Batch:
    fine = np.full((2, 8, 8, 4), value, np.uint16)
    return Batch(
        (fine, np.full((2, 9, 9, 21), np.nan, np.float32)), np.full((2, 8, 8), value, np.uint8), fine[..., 0] > 1
    )


def test_batches_come_as_they_are_stored_and_in_their_order() -> None:
    found = list(fed(map(batch, range(5))))
    for value, ((fine, radiance), target, near) in enumerate(found):
        made = batch(value)
        assert (fine.dtype, radiance.dtype, target.dtype, near.dtype) == (tf.uint16, tf.float32, tf.uint8, tf.bool)
        for tensor, array in zip((fine, radiance, target, near), (*made.inputs, made.target, made.near), strict=True):
            np.testing.assert_array_equal(tensor.numpy(), array)
    assert len(found) == 5
    assert list(fed([])) == []


def test_a_few_are_made_ahead() -> None:
    made, ahead = 0, threading.Event()

    def batches() -> Iterator[Batch]:
        nonlocal made
        for value in range(100):
            made += 1
            if made == 1 + AHEAD:
                ahead.set()
            yield batch(value)

    tensors = fed(batches())
    assert int(next(tensors)[1][0, 0, 0]) == 0, "in their order"
    assert ahead.wait(10), "while nobody asks for them"
    assert made < 10


def test_what_goes_wrong_as_one_is_made_is_raised() -> None:
    def broken() -> Iterator[Batch]:
        yield batch(1)
        raise ValueError("no such window")

    with pytest.raises(ValueError, match="no such window"):
        list(fed(broken()))
