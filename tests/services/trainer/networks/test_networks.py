"""The networks: what they answer, whatever the size, and what makes each the one that it is."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from services.trainer.fit import BODIES
from services.trainer.networks.committee import build_committee
from services.trainer.networks.layers import build
from services.trainer.networks.multiscale import build_multiscale, build_perceptron, build_texture
from services.trainer.networks.segnet import Pool, Unpool

CLASSES, FILTERS = 5, 4
MEAN, DEVIATION = np.full(10, 2000.0), np.full(10, 500.0)


def made(name: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    if name == "multiscale":
        return build_multiscale(build_texture(MEAN, DEVIATION), build_perceptron(CLASSES))
    return build(name, BODIES[name], CLASSES, FILTERS, MEAN, DEVIATION)


def windows(rows: int, cols: int) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    fine = rng.integers(1000, 5000, (2, rows, cols, 4)).astype(np.uint16)
    return [fine, rng.integers(1000, 5000, (2, rows // 2, cols // 2, 6)).astype(np.uint16)]


NETWORKS = [*BODIES, "multiscale"]


@pytest.mark.parametrize("name", NETWORKS)
def test_each_answers_windows_of_any_size_with_logits(name: str) -> None:
    model = made(name)
    for rows, cols in ((32, 32), (48, 80)):
        assert model(windows(rows, cols)).shape == (2, rows, cols, CLASSES)


@pytest.mark.parametrize("name", BODIES)
def test_each_learns_with_all_its_weights(name: str) -> None:
    model = made(name)
    inputs = windows(16, 16)
    inputs[0][:, :8], inputs[1][:, :4] = 1200, 1200
    wanted = np.zeros((2, 16, 16), np.int32)
    wanted[:, 8:] = 3
    optimizer = keras.optimizers.Adam(1e-2)
    losses = []
    for _ in range(8):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, model(inputs, training=True)))
        gradients = tape.gradient(loss, model.trainable_variables)
        assert all(g is not None and np.isfinite(g).all() for g in gradients), "every weight is learned"
        optimizer.apply(gradients, model.trainable_variables)
        losses.append(float(loss))
    assert losses[-1] < 0.8 * losses[0]


def test_unpooling_puts_values_back_where_pooling_took_them_from() -> None:
    values = np.random.default_rng(2).normal(size=(2, 6, 8, 3)).astype(np.float32)
    pooled, where = Pool()(values)
    np.testing.assert_array_equal(pooled, keras.layers.MaxPooling2D(2)(values))
    back = Unpool()(pooled, where).numpy()
    kept = back != 0
    assert kept.sum() == pooled.numpy().size
    np.testing.assert_array_equal(back[kept], values[kept])


def test_of_equal_values_the_first_is_pooled() -> None:
    pooled, where = Pool()(np.ones((1, 2, 2, 1), np.float32))
    assert float(pooled[0, 0, 0, 0]) == 1
    np.testing.assert_array_equal(where.numpy().ravel(), [1, 0, 0, 0])


def test_a_committee_is_the_mean_of_its_members_probabilities() -> None:
    members = [made(name) for name in ("unet", "segnet", "multiscale")]
    inputs = windows(32, 32)
    alone = [tf.nn.softmax(member(inputs)).numpy() for member in members]
    np.testing.assert_allclose(build_committee(members)(inputs), np.mean(alone, axis=0), atol=1e-6)
    np.testing.assert_allclose(build_committee(members[:1])(inputs), alone[0], atol=1e-6)
