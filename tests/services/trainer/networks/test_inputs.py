"""What networks see: weeks pooled into one, the time of the year, and the landscape around."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.trainer.fit import BODIES
from services.trainer.networks.inputs import (
    AddDates,
    Landscape,
    Normalise,
    PoolWeeks,
    Scaling,
    cube_inputs,
    newest_bands,
    shapes_of,
    standardise,
)
from services.trainer.networks.layers import build
from services.trainer.networks.multiscale import build_multiscale, build_perceptron, build_texture
from shared.area.training import TrainingSettings
from shared.items.model_inputs import ModelInputs, inputs_of_area
from tests.catalogues import AREA

CLASSES = 3
EVERYTHING = ("msi_10m", "msi_20m", "msi_60m", "olci_300m", "week")


def reading(*names: str, history: int = 0) -> ModelInputs:
    return inputs_of_area(AREA, TrainingSettings(inputs=names or EVERYTHING, history_weeks=history))


def scaling_of(inputs: ModelInputs) -> Scaling:
    """Of stored values about 2000, and of radiances about 50."""
    mean = {name: np.full(len(bands), 50.0 if name == "olci_300m" else 2000.0) for name, bands in inputs.bands.items()}
    return Scaling(mean, {name: values / 4 for name, values in mean.items()})


def windows(inputs: ModelInputs, side: int = 32, count: int = 2) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    found = []
    for name, (shape, _) in shapes_of(inputs).items():
        sides = [{"msi_10m": side}.get(name, side // 2) if n is None else n for n in shape]
        if name == "olci_300m":
            found.append(rng.uniform(20, 80, (count, *sides)).astype(np.float32))
        else:
            low, high = (1, 366) if name == "week" else (1000, 4000)
            found.append(rng.integers(low, high, (count, *sides)).astype(np.uint16))
    return found


def network(name: str, inputs: ModelInputs) -> keras.Model:
    keras.utils.set_random_seed(0)
    if name == "multiscale":
        texture = build_texture(inputs, scaling_of(inputs))
        return build_multiscale(texture, build_perceptron(CLASSES, texture.output_shape[-1]), inputs)
    return build(name, BODIES[name], CLASSES, 4, inputs, scaling_of(inputs))


@pytest.mark.parametrize("history", [0, 2])
@pytest.mark.parametrize("name", ["unet", "multiscale"])
def test_each_input_is_read(name: str, history: int) -> None:
    inputs = reading(history=history)
    model, values = network(name, inputs), windows(inputs)
    said = model(values).numpy()
    assert said.shape == (2, 32, 32, CLASSES)
    for number, other in enumerate(values):
        changed = [*values[:number], (other * 0.9).astype(other.dtype), *values[number + 1 :]]
        assert (model(changed).numpy() != said).any(), inputs.names[number]


@pytest.mark.parametrize("name", ["unet", "multiscale"])
def test_an_empty_week_is_no_week(name: str) -> None:
    """Whatever its date: one week alone, with nothing before it, is mapped as the newest of few."""
    inputs = reading("msi_10m", "msi_20m", "week", history=2)
    model, (fine, coarse, day) = network(name, inputs), windows(inputs)
    fine[:, 0], coarse[:, 0] = 0, 0
    said, day[:, 0] = model([fine, coarse, day]).numpy(), 77
    np.testing.assert_array_equal(model([fine, coarse, day]), said)
    fine[:, 1], coarse[:, 1] = 0, 0
    assert (model([fine, coarse, day]).numpy() != said).any()


bands = st.integers(1, 3)


@settings(max_examples=25, deadline=None)
@given(weeks=st.integers(1, 5), channels=bands, seed=st.integers(0, 99))
def test_weeks_are_pooled_over_what_was_observed(weeks: int, channels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    seen = rng.random((2, weeks, 4, 4, 1)) < 0.6
    values = rng.normal(size=(2, weeks, 4, 4, channels)).astype(np.float32) * seen
    pooled = PoolWeeks()(np.concatenate([values, seen], axis=-1).astype(np.float32)).numpy()
    for at in np.ndindex(2, 4, 4):
        b, y, x = at
        kept = values[b, seen[b, :, y, x, 0], y, x]
        pooled_by_hand = [*kept[-1], *kept.mean(axis=0), *kept.std(axis=0), 1] if len(kept) else None
        expected = pooled_by_hand or [0] * (3 * channels + 1)
        np.testing.assert_allclose(pooled[at], expected, atol=1e-5)


def test_bands_of_60_m_may_be_unknown_where_others_are_observed() -> None:
    mean, deviation = np.full(12, 2000.0), np.full(12, 500.0)
    fine, coarse, coarsest = (np.full((1, 4 // n, 4 // n, b), 3000, np.uint16) for n, b in ((1, 4), (2, 6), (2, 2)))
    coarsest[0, 0, 0] = 0
    values = Normalise(mean, deviation, 2)(fine, coarse, coarsest).numpy()[0]
    assert (values[..., -1] == 1).all()
    assert (values[:2, :2, 10:12] == 0).all()
    assert (values[..., :10] == 2).all()
    coarse[0, 1, 1, 3] = 0
    values = Normalise(mean, deviation, 2)(fine, coarse, coarsest).numpy()[0]
    assert not values[2:, 2:].any()


def test_the_turn_of_the_year_is_no_edge() -> None:
    seen = np.ones((3, 2, 2, 2), np.float32)
    found = AddDates()(seen, np.array([1, 366, 183], np.uint16)).numpy()
    assert found.shape == (3, 2, 2, 4)
    first, last, summer = found[:, 0, 0, 1:3]
    assert np.linalg.norm(first - last) < 0.05
    assert np.linalg.norm(first - summer) > 1.9
    assert (found[..., -1] == 1).all()


def test_a_landscape_is_told_of_what_was_observed_of_it() -> None:
    around = np.zeros((1, 9, 9, 3), np.float32)
    around[0, :3, :, 2] = 1
    around[0, :3, :, 0], around[0, 0, :, 1] = 4, 3
    np.testing.assert_allclose(Landscape()(around).numpy()[0], [4, 1, 0, np.sqrt(2), 1 / 3], atol=1e-6)


def test_the_channels_of_the_newest_bands_come_first() -> None:
    inputs = reading("msi_10m", "msi_20m", "week", history=3)
    seen = standardise(cube_inputs(inputs), inputs, scaling_of(inputs))
    assert seen.shape[-1] == 3 * (10 + 2) + 1
    assert newest_bands(inputs) == 10
