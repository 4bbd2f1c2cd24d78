"""Fitting as a whole, on small windows: the parts of the recipe meet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from services.trainer.fit import Fitted, fit, scaling_of
from services.trainer.ground import Ground
from services.trainer.places import Place
from services.trainer.windows import Windows
from shared.area import load_area
from shared.area.training import TrainingSettings
from shared.items.model_inputs import inputs_of_area

AREA = load_area(Path(__file__).parents[3] / "examples" / "areas" / "small.yaml")
SIDE, CLASSES = 64, 3
SMALL = {"architecture": "multiscale", "epochs": 2, "steps": 2, "patch_px": 32, "filters": 4}


def windows() -> Windows:
    """Three windows of square fields, each class with its own spectrum."""
    rng = np.random.default_rng(0)
    labels = rng.integers(1, CLASSES + 1, (3, 4, 4)).repeat(16, axis=1).repeat(16, axis=2).astype(np.uint8)
    spectra = rng.integers(1500, 5000, (CLASSES + 1, 10))
    fine = spectra[labels][..., :4] + rng.normal(0, 100, (3, SIDE, SIDE, 4))
    coarse = spectra[labels[:, ::2, ::2]][..., 4:] + rng.normal(0, 100, (3, SIDE // 2, SIDE // 2, 6))
    places = tuple(Place("2018-W20", 0, i) for i in range(3))
    return Windows(places, fine.astype(np.uint16), coarse.astype(np.uint16), labels, 0)


WINDOWS = windows()
PLAIN = Ground(WINDOWS.labels)


def validated() -> Ground:
    """The last window tells the loss of validation."""
    last = np.arange(3)[:, None, None] == 2
    return Ground(np.where(last, 0, WINDOWS.labels), np.where(last, WINDOWS.labels, 0), WINDOWS.labels == 1)


def run(ground: Ground = PLAIN, **fields: Any) -> Fitted:
    settings = TrainingSettings(**{**SMALL, **fields})
    return fit(WINDOWS, ground, CLASSES, settings, inputs_of_area(AREA, settings), 0)


def answer(fitted: Fitted, coarse: np.ndarray = WINDOWS.msi_20m) -> np.ndarray:
    share: np.ndarray = fitted.model([WINDOWS.msi_10m[:1], coarse[:1]]).numpy()
    return share


def test_the_same_arguments_give_the_same_bits_and_a_setting_others() -> None:
    plain = answer(run())
    np.testing.assert_array_equal(plain, answer(run()))
    assert (plain != answer(run(class_weights="balanced"))).any()


def test_the_loss_of_validation_is_told_of_each_network() -> None:
    recipe = {"architecture": "committee", "validation_percent": 20, "edge_px": 1, "edge_weight": 0.5}
    fitted = run(validated(), **recipe, noise_share=0.1, shift_px=2, early_stop_patience=5, keep_best=True)
    assert {name: len(losses) for name, losses in fitted.losses.items()} == {
        "unet": 2, "unet, validation": 2, "multiscale": 2, "multiscale, validation": 2,
    }  # fmt: skip
    assert fitted.losses["multiscale, validation"][1] < fitted.losses["multiscale, validation"][0]


def test_on_10_m_bands_in_mixed_precision() -> None:
    fitted = run(inputs=("msi_10m",), mixed_precision=True)
    share = fitted.model([WINDOWS.msi_10m[:1]]).numpy()
    assert share.dtype == np.float32
    assert keras.config.dtype_policy().name == "float32", "the next training starts as this one did"


def test_networks_are_scaled_by_what_they_learn_from_alone() -> None:
    radiance = np.random.default_rng(1).uniform(10, 90, (3, 9, 9, 21)).astype(np.float32)
    targets = np.where(np.arange(3)[:, None, None] == 2, 0, WINDOWS.labels)
    first = scaling_of(replace(WINDOWS, more={"olci_300m": radiance}), targets)
    radiance[2] = 900
    again = scaling_of(replace(WINDOWS, more={"olci_300m": radiance}), targets)
    for name in first.mean:
        np.testing.assert_array_equal(first.mean[name], again.mean[name])
    np.testing.assert_allclose(first.mean["olci_300m"], radiance[:2].mean(axis=(0, 1, 2)), rtol=1e-5)
