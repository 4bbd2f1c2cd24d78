"""The networks: what they answer, whatever the size, and what makes each the one that it is."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from services.trainer.descend import precision
from services.trainer.fit import BODIES, BODIES_FOR_XLA
from services.trainer.networks.committee import build_committee
from services.trainer.networks.inputs import Scaling
from services.trainer.networks.layers import build
from services.trainer.networks.multiscale import build_multiscale, build_perceptron, build_texture
from services.trainer.networks.segnet import Pool, Unpool
from shared.area.training import TrainingSettings
from shared.items.model_inputs import ModelInputs
from shared.sensors import CUBE_BANDS

CLASSES, FILTERS = 5, 4
READ = ModelInputs()


def scaling(inputs: ModelInputs = READ) -> Scaling:
    """Of stored values about 2000, and of radiances about 50."""
    mean = {"olci_300m": 50.0}
    return Scaling(
        {name: np.full(len(bands), mean.get(name, 2000.0)) for name, bands in inputs.bands.items()},
        {name: np.full(len(bands), mean.get(name, 2000.0) / 4) for name, bands in inputs.bands.items()},
    )


def made(name: str, inputs: ModelInputs = READ) -> keras.Model:
    keras.utils.set_random_seed(0)
    if name == "multiscale":
        texture = build_texture(inputs, scaling(inputs))
        return build_multiscale(texture, build_perceptron(CLASSES, texture.output_shape[-1]), inputs)
    return build(name, BODIES[name], CLASSES, FILTERS, inputs, scaling(inputs))


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


@pytest.mark.parametrize("name", BODIES)
def test_no_convolution_of_one_pixel_has_a_stride(name: str) -> None:
    """Its gradient writes beyond its memory in TensorFlow 2.20 on CPUs, which ends the process some time later."""
    convolutions = [layer for layer in made(name).layers if isinstance(layer, keras.layers.Conv2D)]
    assert convolutions
    assert not [layer.name for layer in convolutions if layer.kernel_size == (1, 1) and layer.strides != (1, 1)]


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
    np.testing.assert_allclose(build_committee(members, READ)(inputs), np.mean(alone, axis=0), atol=1e-6)
    np.testing.assert_allclose(build_committee(members[:1], READ)(inputs), alone[0], atol=1e-6)
    weights = (0.0, 0.25, 0.75)
    np.testing.assert_allclose(
        build_committee(members, READ, weights)(inputs), np.average(alone, axis=0, weights=weights), atol=1e-6
    )


@functools.cache
def untrained(name: str) -> keras.Model:
    return made(name)


@pytest.mark.parametrize("name", NETWORKS)
def test_on_10_m_bands_none_asks_for_the_others(name: str) -> None:
    fine, _ = windows(32, 32)
    model = made(name, ModelInputs({"msi_10m": CUBE_BANDS["10m"]}))
    assert [i.name for i in model.inputs] == ["msi_10m"]
    assert (model([fine]).numpy() != model([fine[:, ::-1]]).numpy()).any()


@pytest.mark.parametrize("name", NETWORKS)
def test_in_mixed_precision_shares_are_float32_and_sum_to_1(name: str) -> None:
    inputs = windows(32, 32)
    plain = build_committee([untrained(name)], READ)(inputs).numpy()
    with precision(TrainingSettings(mixed_precision=True)):
        model = build_committee([made(name)], READ)
        share = model(inputs).numpy()
    assert share.dtype == np.float32
    np.testing.assert_allclose(share.sum(axis=-1), 1, atol=1e-5)
    assert (share != plain).any(), "it did compute in bfloat16"
    np.testing.assert_allclose(share, plain, atol=0.05)


def test_a_u_net_for_xla_is_the_same_network() -> None:
    keras.utils.set_random_seed(0)
    other = build("unet", BODIES_FOR_XLA["unet"], CLASSES, FILTERS, READ, scaling())
    np.testing.assert_allclose(other(windows(32, 32)), untrained("unet")(windows(32, 32)), atol=1e-5)
    assert not any(isinstance(layer, keras.layers.MaxPooling2D) for layer in other.layers)
