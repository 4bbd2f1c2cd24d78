"""What a trained network says of windows, beside what its exported form says to clients."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from services.trainer.export import DEFAULT, export
from services.trainer.networks.inputs import Normalise, cube_inputs
from services.trainer.places import Place
from services.trainer.predict import predict_windows
from services.trainer.windows import Windows
from shared.items.model_inputs import ModelInputs

SIDE = 64


def small_network() -> keras.Model:
    keras.utils.set_random_seed(3)
    fine, coarse = cube_inputs(ModelInputs())
    bands = Normalise(np.full(10, 2500.0), np.full(10, 800.0))(fine, coarse)
    return keras.Model([fine, coarse], keras.layers.Softmax()(keras.layers.Conv2D(4, 3, padding="same")(bands)))


def windows(count: int) -> Windows:
    rng = np.random.default_rng(count)
    fine = rng.integers(1000, 5000, (count, SIDE, SIDE, 4)).astype(np.uint16)
    coarse = rng.integers(1000, 5000, (count, SIDE // 2, SIDE // 2, 6)).astype(np.uint16)
    fine[0, :16], coarse[0, :8] = 0, 0
    places = tuple(Place("2018-W20", 0, i) for i in range(count))
    return Windows(places, fine, coarse, np.ones((count, SIDE, SIDE), np.uint8), 0)


def test_confidence_is_what_a_client_gets(tmp_path: Path) -> None:
    model, batches = small_network(), [windows(3), windows(2)]
    export(model, ModelInputs(), tmp_path / "saved")
    signature = tf.saved_model.load(str(tmp_path / "saved")).signatures[DEFAULT]
    for (batch, mapped, confidence), given in zip(
        predict_windows(model, ModelInputs(), batches, 3), batches, strict=True
    ):
        assert batch is given
        fine, coarse = map(tf.constant, batch.padded(3, ModelInputs()))
        answer = {k: v.numpy()[: len(batch.places)] for k, v in signature(msi_10m=fine, msi_20m=coarse).items()}
        assert confidence.dtype == mapped.dtype == np.uint8
        np.testing.assert_array_equal(mapped, answer["class"])
        np.testing.assert_array_equal(confidence, answer["confidence"])
        assert not confidence[0, :16].any()
        assert 25 <= confidence[0, 16:].min() < confidence.max() <= 100
