"""Curves as files: what they say, in the same bytes each time."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from services.trainer.curves import write_curves, write_events

LOSSES = {"unet": [0.75, 0.5], "unet, validation": [0.875, float("nan")], "multiscale": [0.25, 0.125, 0.0625]}
RATES = {"unet": [1e-3, 5e-4], "multiscale": [1e-3, 1e-3, 1e-3]}


def test_curves_of_each_network(tmp_path: Path) -> None:
    path = tmp_path / "curves.json"
    write_curves(LOSSES, RATES, path)
    assert json.loads(path.read_text())["networks"] == {
        "unet": {"loss": [0.75, 0.5], "validation_loss": [0.875, None], "learning_rate": [1e-3, 5e-4]},
        "multiscale": {"loss": [0.25, 0.125, 0.0625], "learning_rate": [1e-3] * 3},
    }


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    path = tmp_path / "tensorboard.tar"
    write_events(LOSSES, RATES, path)
    assert [p.name for p in tmp_path.iterdir()] == ["tensorboard.tar"]
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path / "runs", filter="data")
    return tmp_path / "runs"


def test_tensorboard_reads_them(unpacked: Path) -> None:
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    runs = EventMultiplexer().AddRunsFromDirectory(str(unpacked))
    runs.Reload()
    assert set(runs.Runs()) == {"unet/train", "unet/validation", "multiscale/train"}
    for run, tag, wanted in (
        ("unet/train", "epoch_loss", LOSSES["unet"]),
        ("unet/validation", "epoch_loss", LOSSES["unet, validation"]),
        ("multiscale/train", "epoch_loss", LOSSES["multiscale"]),
        ("unet/train", "epoch_learning_rate", RATES["unet"]),
    ):
        events = runs.Tensors(run, tag)
        found = [float(tf.make_ndarray(e.tensor_proto)) for e in events]
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
        assert [e.step for e in events] == list(range(len(wanted)))


def test_the_same_curves_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.tar", "other.tar"):
        write_events(LOSSES, RATES, tmp_path / name)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "other.tar").read_bytes()
